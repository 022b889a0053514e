/* SPDX-License-Identifier: BSD-3-Clause
 * ring.pml - a model of lib/ring.[ch] for SPIN: nothing lost, nothing twice, no match left
 *
 * One producer, one consumer with a port that refuses at will, one canceller that
 * cancels CANCELS times. Every access to memory that another side writes is one
 * step, in the order of the C code; what a side does with its own variables
 * belongs to the step before. The names are those of the code.
 *
 * SPIN's memory is sequentially consistent. What the code leaves to weaker orders
 * is therefore spelled out:
 *   - a release store is a step of its own, after all that it follows; an acquire
 *     load is one before all that it precedes. A variant BROKEN_... turns two of
 *     them round and shows that the order is needed;
 *   - the two stores of Dekker's pattern (claim, cancels) go through a store
 *     buffer that is flushed at any time before the next store or RMW of its side;
 *     the code's exchanges flush it at once.
 *
 * Widths: a position has 8 bits and the first is START, so that the second wraps
 * them all; all slots are one block of tomb[]; a stamp has 4 bits and a link 5 or 4. No
 * run uses more than 16 positions, so stamps do not alias (40 bits in the code); 4-bit
 * links do.
 *
 * BROKEN_... variants are wrong by one thing that the code does right; SPIN must
 * find each. WEAKER_... ones are weaker than the code and still right.
 */

/* ---- configuration; tests/model/run has the list ---- */
#ifndef SIZE
#define SIZE 2          /* slots; a power of two */
#endif
#ifndef NBLS
#define NBLS 4          /* how many the producer sends; at most 14 */
#endif
#ifndef BURST
#define BURST 2         /* the most that is put or claimed at once */
#endif
#ifndef BATCH
#define BATCH CANDIDATES /* WALK_BATCH; if not less, the whole chain is one batch */
#endif
#ifndef CANCELS
#define CANCELS 1
#endif
#ifndef IDS
#define IDS 2           /* which ids are sent: 2 is A, B; 3 is A, B, C ... */
#endif                  /* ... or PATTERN, such as {A,B,A,C}, one for each NBL */

#ifndef LINKS
#define LINKS 32        /* how many links there are; 16: old ones alias new positions */
#endif
/* WALK_ALL: a cancel may also be one by mask (walk_all)
 * LATE:     late matches are counted back to what was settled at the call, or to the
 *           first position of all; otherwise no further than what need_help needs
 * OLD_MARKS: the second cancel may have an older mark than the first
 * FREEZE:   the canceller stops for ever at any moment
 * BURIED:   which entries were aborted in the stage is kept, for never_late */

#define CANDIDATES (2 * NBLS)   /* of one walk: a run's end may be one twice */
#define START 255
#define MASK (SIZE - 1)
#define WRAP(x) ((x) & 255)             /* uint64_t arithmetic */
#define LT(a, b) (((a) - (b)) & 128)    /* (int64_t)(a - b) < 0 */
#define STAMP(pos) ((pos) & 15)         /* 40 bits in the code */
#define LINK(pos) ((pos) & (LINKS - 1)) /* 32 bits in the code */
#define WIDEN_BELOW(at, link) WRAP((at) - LINK((at) - (link)))
#define WIDEN_NEAR(at, link) WRAP((at) + LINK((link) - (at) + LINKS / 2) - LINKS / 2)

/* slot word: stamp << 4 | handle. The handle is the NBL's number, 0 first. */
#define TOMB_TAKEN 14
#define TOMB_ABORTED 15
#define WORD(pos, handle) (STAMP(pos) << 4 | (handle))
#define STAMP_OF(word) ((word) >> 4)
#define HANDLE_OF(word) ((word) & 15)

/* Ids and two buckets: A and B hash alike; C has the bucket of 0, which is what
 * id[] holds before its first use. The mask MOST makes A and B one target. */
#define C 1
#define A 2
#define B 3
#define HASH(id) ((id) >> 1)
#define ALL 3
#define MOST 2
#define MATCH(id, want, bits) ((((id) ^ (want)) & (bits)) == 0)

/* ---- struct vnic__ring ---- */
byte slot[SIZE];
byte id[SIZE];
byte prev[SIZE];
byte bucket[2];
byte beside[SIZE];      /* what the ring's user keeps for each slot: here its NBL */
byte tomb = START - 1;  /* one block */
byte tail = START;
byte claim = START;
byte head = START;
byte settled = START;
byte help_ack;
byte help_aborted;
byte cancels;
byte walk_mark = START;
byte help_seq;
byte help_id, help_mask, help_mark;

/* ---- what the properties need and the code does not have ---- */
#define GONE 0          /* delivered or aborted; or not sent yet */
#define QUEUED 1
#define STAGED 2
byte own[NBLS];         /* who has it */
byte id_of[NBLS];       /* the NBL's own id; 0 when gone */
byte delivered;
byte aborted_in_ring;   /* by the canceller's CAS */
byte aborted_in_stage;  /* as help_aborted has it */
bool canceller_done;
#ifdef BURIED
short in_stage;         /* which NBLs were aborted there, a bit each */
#endif

/* The cancels: what was asked. */
byte t_id[CANCELS], t_mask[CANCELS], t_mark[CANCELS];
byte asked;             /* whose target is published */

#define POS_OF(h) WRAP(START + (h))
#define IS_TARGET(h, k) \
	(MATCH(id_of[h], t_id[k], t_mask[k]) && LT(POS_OF(h), t_mark[k]))

/* The properties, by the names that SPIN reports. They are true all the time. */
bool owned_once = true;         /* who takes an NBL takes it from whom it was with */
bool never_a_tomb = true;       /* what is staged or leaves is an NBL */
bool only_its_id = true;        /* a cancel takes nothing of another id */
bool only_below_mark = true;    /* ... and nothing sent after it was called */
bool no_match_left = true;      /* a cancel that returned left none queued or staged */
bool right_word = true;         /* an NBL is staged from its own position */
bool right_beside = true;       /* ... and what is kept beside its slot is its own */
bool in_order = true;           /* the port sees the survivors in order */
bool never_late = true;         /* what was aborted in the stage is late for no later cancel */
bool all_accounted = true;      /* at the end: delivered + aborted = sent */

#define PROPERTY(name, x) name = (x); assert(name)

inline owner(h, from, to) {
	PROPERTY(never_a_tomb, h < NBLS);
	PROPERTY(owned_once, own[h] == from);
	own[h] = to
}

/* An NBL leaves, delivered or aborted. */
inline leave(h, from) {
	owner(h, from, GONE);
	id_of[h] = 0
}

/* An NBL leaves because of cancel c. */
inline abort(h, c, from) {
	PROPERTY(never_a_tomb, h < NBLS);
	PROPERTY(only_below_mark, LT(POS_OF(h), t_mark[c]) != 0);
	PROPERTY(owned_once, own[h] == from);
	PROPERTY(only_its_id, MATCH(id_of[h], t_id[c], t_mask[c]));
	leave(h, from)
}

/* Cancel k returns: none of its matches is queued or staged. */
inline returns(k) {
	g = 0;
	do
	:: g < NBLS ->
		PROPERTY(no_match_left, own[g] == GONE || !IS_TARGET(g, k));
		g++
	:: else -> break
	od;
	g = 0;
	t_id[k] = 0; t_mask[k] = 0; t_mark[k] = 0
}

/* ---- store buffers ---- */
#ifdef BROKEN_NO_CONSUMER_FENCE
byte claim_buffer;
bool claim_buffered;
active proctype consumer_buffer() {
end:	do
	:: d_step {
		claim_buffered ->
		claim = claim_buffer; claim_buffer = 0; claim_buffered = false
	   }
	od
}
#define STORE_CLAIM(x) d_step { claim_buffer = x; claim_buffered = true }
#define CONSUMER_BUFFER_EMPTY !claim_buffered
#define CONSUMER_FLUSHED && CONSUMER_BUFFER_EMPTY
#else
#define STORE_CLAIM(x) claim = x
#define CONSUMER_BUFFER_EMPTY true
#define CONSUMER_FLUSHED
#endif

#ifdef BROKEN_NO_CANCELLER_FENCE
byte cancels_buffer;
bool cancels_buffered;
active proctype canceller_buffer() {
end:	do
	:: d_step {
		cancels_buffered ->
		cancels = cancels_buffer; cancels_buffer = 0; cancels_buffered = false
	   }
	od
}
#define RAISE_FLAG(x) d_step { cancels_buffer = x; cancels_buffered = true }
#define CANCELLER_FLUSHED && !cancels_buffered
#else
#define RAISE_FLAG(x) cancels = x
#define CANCELLER_FLUSHED
#endif

/* ---- producer ---- */

#define SENT WRAP(pos - START)

/* The stores of vnic__ring_put, and the order in which a variant does them. */
#define SLOT slot[pos & MASK] = WORD(pos, SENT)
#define ID id[pos & MASK] = p_id
#define PREV prev[pos & MASK] = run_prev
#define BUCKET bucket[HASH(p_id)] = LINK(pos)
#if defined(BROKEN_ID_BEFORE_SLOT)
#define PUT(n) PUT_##n(ID, SLOT, PREV, BUCKET)
#elif defined(BROKEN_PREV_BEFORE_SLOT)
#define PUT(n) PUT_##n(PREV, SLOT, ID, BUCKET)
#elif defined(BROKEN_BUCKET_BEFORE_SLOT)
#define PUT(n) PUT_##n(BUCKET, SLOT, ID, PREV)
#elif defined(BROKEN_BUCKET_BEFORE_ID)
#define PUT(n) PUT_##n(SLOT, PREV, BUCKET, ID)
#elif defined(BROKEN_BUCKET_BEFORE_PREV)
#define PUT(n) PUT_##n(SLOT, ID, BUCKET, PREV)
#elif defined(WEAKER_PREV_BEFORE_ID)
#define PUT(n) PUT_##n(SLOT, PREV, ID, BUCKET)
#else
#define PUT(n) PUT_##n(SLOT, ID, PREV, BUCKET)
#endif
#define PUT_1(a, b, c, d) a
#define PUT_2(a, b, c, d) b
#define PUT_3(a, b, c, d) c
#define PUT_4(a, b, c, d) d

#ifdef PATTERN
hidden byte pattern[NBLS] = PATTERN;
#endif

proctype producer() {
	byte pos = START;
	byte run_id;
	byte run_prev = LINK(START - 1);
	byte p_id;
	byte queued;                    /* the first NBL that is not published */

	do
	:: SENT == NBLS && queued == NBLS -> break
	:: atomic {
		/* vnic__ring_room. The code's private copy of head is left out: it
		 * allows no more than head itself does. */
		SENT < NBLS && SENT - queued < BURST && WRAP(pos - head) < SIZE -> /* A2 */
		/* vnic__ring_put: R3. (No cancel is left: ids do not matter.) */
		if
#ifdef PATTERN
		:: !canceller_done -> p_id = pattern[SENT]
		:: canceller_done -> p_id = C
#else
		:: !canceller_done -> p_id = A
		:: !canceller_done -> p_id = B
		:: canceller_done || IDS > 2 -> p_id = C
#endif
		fi;
		d_step {
			id_of[SENT] = p_id;
			beside[pos & MASK] = SENT;
			run_prev = (p_id == run_id -> run_prev : bucket[HASH(p_id)]);
			run_id = p_id;
#ifdef BROKEN_TAIL_BEFORE_SLOT
			own[SENT] = QUEUED;
			queued++;
			tail = WRAP(pos + 1)
#else
			PUT(1)
#endif
		}
	   }
#ifdef BROKEN_TAIL_BEFORE_SLOT
		PUT(1);
#endif
		PUT(2);
		PUT(3);
		d_step { PUT(4); p_id = 0; pos = WRAP(pos + 1) }
	:: d_step {
		/* vnic__ring_publish */
		queued < SENT ->
		do
		:: queued < SENT -> own[queued] = QUEUED; queued++
		:: else -> break
		od;
		tail = pos                                      /* R1 */
	   }
	od
}

/* ---- consumer ----
 *
 * Nothing here waits for another side: each choice has an alternative whatever the
 * others have written, and each loop ends after BURST rounds. (With FREEZE a poll
 * that would find nothing to do is left out; see below.) */

#ifdef BROKEN_NO_DROP
#define SHORTCUT true
#else
#define SHORTCUT shortcut
#endif
#ifdef BROKEN_TOMB_IN_BURST_ONLY
#define TOMBS_AMONG (!LT(tomb, c_head) && LT(tomb, c_head + n))
#else
#define TOMBS_AMONG (!LT(tomb, c_head))
#endif

#if defined(BROKEN_PLAIN_TAKE_IN_WALK)
#define CONTENDED false
#elif defined(BROKEN_CONTENDED_TO_END)
#define CONTENDED (LT(WRAP(c_head + n), walk_mark) != 0)    /* some of the burst may be below */
#else
#define CONTENDED (LT(c_head, walk_mark) != 0)
#endif

/* vnic__ring_stage_pos */
#define STAGE_POS(i) WRAP(c_head - ((STAMP(c_head) - STAMP_OF(stage[i])) & 15))

/* vnic__ring_release, when stage_first has moved on */
inline release() {
	settled = (staged > 0 -> STAGE_POS(0) : c_head)         /* R5 */
}

#define SLOT_IS(pos, word) (slot[(pos) & MASK] == (word))
#if defined(BROKEN_NO_BURY) || defined(BROKEN_ONLY_TOMBS_BURIED)
#define BURY(pos, word) false
#elif defined(BROKEN_PLAIN_BURY)
#define BURY(pos, word) true
#else
#define BURY(pos, word) SLOT_IS(pos, word)      /* a compare-and-exchange */
#endif
#if defined(BROKEN_NO_BURY) || defined(BROKEN_NO_TOMB_BURIED)
#define TRY_TWICE false
#else
#define TRY_TWICE true
#endif

/* One look at the staged entry i: vnic__ring_help_match, vnic__ring_stage_keep and, of
 * one that is taken out, the first half of bury. */
inline help_look() {
	g = HANDLE_OF(stage[i]);
	c_pos = STAGE_POS(i);
	assert(c_pos == POS_OF(g));
	if
	:: MATCH(id_of[g], help_id, help_mask) && LT(c_pos, help_mark) ->
		abort(g, asked, STAGED);
		c_aborted++;
#ifdef BURIED
		in_stage = in_stage | 1 << g;
#endif
		if
		:: BURY(c_pos, stage[i]) ->
			slot[c_pos & MASK] = WORD(c_pos, TOMB_ABORTED);
			i++
		:: else ->
			burying = TRY_TWICE;
			i = (TRY_TWICE -> i : i + 1)
		fi
	:: else ->
		stage[k] = stage[i];
		k++;
		i++
	fi;
	g = 0; c_pos = 0
}

/* The second: it was taken under a cancel, or its slot is used again. */
inline help_bury() {
	c_pos = STAGE_POS(i);
	if
	:: SLOT_IS(c_pos, WORD(c_pos, TOMB_TAKEN)) ->
		slot[c_pos & MASK] = WORD(c_pos, TOMB_ABORTED)
	:: else
	fi;
	burying = false;
	i++;
	c_pos = 0
}

inline help_looked() {
	do
	:: i > k -> i--; stage[i] = 0
	:: else -> break
	od;
	staged = k;
	i = 0; k = 0
}

/* The slot word of position c_head + i is taken. */
inline to_stage() {
	g = HANDLE_OF(word);
	owner(g, QUEUED, STAGED);
	PROPERTY(right_word, WRAP(c_head + i) == POS_OF(g) &&
		STAMP_OF(word) == STAMP(POS_OF(g)));
	stage[k] = word;
	k++;
	g = 0
}

/* What lies beside the slots of the m staged entries is fetched. */
inline look_beside(m) {
	do
	:: g < m ->
		PROPERTY(right_beside, beside[STAMP_OF(stage[g]) & MASK] == HANDLE_OF(stage[g]));
		g++
	:: else -> break
	od;
	g = 0
}

/* vnic__ring_claim_end */
inline take_done() {
	tombs = tombs + n - k;
	assert(n > 0);                                  /* it got on, whoever sleeps */
	c_head = WRAP(c_head + n);
	staged = k;
	n = 0; i = 0; k = 0;
	contended = false; shortcut = false; looked = false;
	head = c_head                                   /* R2 */
}

/* The port accepts the first m staged entries. */
inline port_takes(m) {
	i = 0;
	do
	:: i < m ->
		g = HANDLE_OF(stage[i]);
		leave(g, STAGED);
		delivered++;
		do
		:: g > 0 -> g--; PROPERTY(in_order, own[g] == GONE)
		:: else -> break
		od;
		i++
	:: else -> break
	od;
	do
	:: i < staged -> stage[i - m] = stage[i]; i++
	:: else -> break
	od;
	staged = staged - m;
	i = staged;
	do
	:: i < BURST -> stage[i] = 0; i++
	:: else -> break
	od;
	i = 0
}

#define FINISHED (canceller_done && c_head == WRAP(START + NBLS) && staged == 0)

proctype consumer() {
	byte c_head = START;
	byte tombs;
	byte help_seen;
	byte stage[BURST];
	byte staged;                    /* stage_end - stage_first */
	byte n, i, k, word, c_pos, c_aborted;
	bool contended, shortcut, loaded, looked, burying;
	byte g;

poll:
	if
	:: help_seq == help_seen && FINISHED -> goto over
	:: help_seq == help_seen && staged > 0 -> goto port     /* A6 */
#ifdef FREEZE
	:: help_seq == help_seen && staged == 0 && !FINISHED && tail != c_head
#else
	:: help_seq == help_seen && staged == 0 && !FINISHED
#endif
	:: help_seq != help_seen ->
#ifdef BROKEN_ACK_EARLY
		skip;
		d_step { help_seen = help_seq; help_ack = help_seen };
#endif
		do
		:: d_step { i < staged && !burying -> help_look() }
		:: d_step { burying -> help_bury() }
		:: d_step {
			(i == staged) CONSUMER_FLUSHED ->
			help_looked();
			release()
		   };
			break
		od;
		/* vnic__ring_help_done */
#ifndef BROKEN_ACK_EARLY
		help_seen = help_seq;
		d_step { help_aborted = c_aborted; help_ack = help_seen; c_aborted = 0 }; /* R7 */
#else
		skip;
		d_step { help_aborted = c_aborted; c_aborted = 0 };
#endif
		goto poll
	fi;

	/* vnic__ring_claim_begin. The code's private copy of tail is left out: it allows no
	 * more than tail itself does, and any n is tried. */
	if
	:: tail == c_head -> goto poll
	:: d_step { tail != c_head -> n = 1 }                   /* A1 */
	:: d_step { BURST > 1 && WRAP(tail - c_head) > 1 -> n = 2 }
	fi;
	STORE_CLAIM(WRAP(c_head + n));                          /* SC, and the fence */
#ifdef BROKEN_SETTLED_EARLY
	settled = WRAP(c_head + n);
#endif
#ifdef BROKEN_WAIT_FOR_FLAG
	!(cancels & 1);
#endif
	d_step {
		contended = cancels & 1;                        /* SC, A4 */
		shortcut = (cancels == 2 * tombs)
	};
	/* contended() of ring.c: A19 */
	if
	:: d_step { contended -> contended = CONTENDED }
	:: !contended
	fi;
#ifdef BROKEN_HEAD_BEFORE_TAKE
	head = WRAP(c_head + n);
#endif
	/* vnic__ring_tombs_among */
	if
	:: d_step { !contended && !shortcut -> shortcut = !TOMBS_AMONG }
	:: contended || shortcut
	fi;
	do
	/* one word of the memcpy, and of vnic__ring_drop_tombs */
	:: d_step {
		i < n && !contended ->
		word = slot[(c_head + i) & MASK];
		if
		:: HANDLE_OF(word) < TOMB_TAKEN || SHORTCUT -> to_stage()
		:: else
		fi;
		word = 0;
		i++
	   }
	/* take_contended() of ring.c */
	:: d_step {
		i < n && contended && !loaded ->
		word = slot[(c_head + i) & MASK];
		if
		:: HANDLE_OF(word) == TOMB_ABORTED -> word = 0; i++
		:: else -> loaded = true
		fi
	   }
	:: d_step {
		(i < n && loaded) CONSUMER_FLUSHED ->
		if
		:: slot[(c_head + i) & MASK] == word ->
			slot[(c_head + i) & MASK] = WORD(c_head + i, TOMB_TAKEN);
			to_stage()
		:: else                                 /* the canceller was first */
		fi;
		loaded = false;
		word = 0;
		i++
	   }
#ifdef BROKEN_HEAD_BEFORE_BESIDE
	:: d_step { (i == n && k > 0) CONSUMER_FLUSHED -> take_done() };
		d_step { look_beside(staged) };
		goto port
#else
	:: d_step { i == n && k > 0 && !looked -> look_beside(k); looked = true }
	:: d_step { (i == n && k > 0 && looked) CONSUMER_FLUSHED -> take_done() };
		goto port
#endif
	:: d_step { (i == n && k == 0) CONSUMER_FLUSHED -> take_done() };
		d_step { release() };
		goto poll
	od;

port:
	if
	:: CONSUMER_BUFFER_EMPTY ->
progress_refused:
		skip
	:: d_step { (staged > 1) CONSUMER_FLUSHED -> port_takes(1) }
	:: d_step { CONSUMER_BUFFER_EMPTY -> port_takes(staged) }
	fi;
	d_step { release() };
	goto poll;

over:
	atomic {
		do
		:: g < NBLS -> PROPERTY(all_accounted, own[g] == GONE); g++
		:: else -> break
		od
#ifndef FREEZE
		;
		PROPERTY(all_accounted, delivered + aborted_in_ring + aborted_in_stage == NBLS)
#endif
	}
}

/* ---- canceller ---- */

#ifdef FREEZE
/* At some moment, between any two of its steps, the canceller stops for ever. */
bool frozen;
active proctype frost() {
	frozen = true
}
#endif

#ifdef BROKEN_NO_MARK
#define BELOW_MARK(pos) true
#else
#define BELOW_MARK(pos) (LT(pos, w_mark) != 0)
#endif

#ifdef BROKEN_NO_STAMP
#define REUSED(word, pos) false
#define ABORTED(word, pos) (HANDLE_OF(word) == TOMB_ABORTED)
#else
#define REUSED(word, pos) (STAMP_OF(word) != STAMP(pos))
#define ABORTED(word, pos) ((word) == WORD(pos, TOMB_ABORTED))
#endif

#ifdef BROKEN_NO_HELP_FOR_LATE
#define HELP_FOR_LATE false
#else
#define HELP_FOR_LATE true
#endif
#ifdef BROKEN_NO_HELP_FOR_REUSED
#define HELP_FOR_REUSED false
#else
#define HELP_FOR_REUSED true
#endif

/* Where the walk is. It gathers candidates; when more than BATCH are there, or at
 * its end, it judges the `todo` oldest gathered before it goes on. */
#define AT_HEAD 1       /* reads id[pos], of a run's newest entry or of a neighbour */
#define AT_LINK 2       /* reads prev[pos] */
#define IN_RUN 3        /* reads id[pos]: does the run go on? */
#define AT_ANY 4        /* walk_all reads id[pos] */
#define FAR 5           /* reads tail: did the ring go round, or does the bucket alias? */
#define ENDED 6

inline consider(matches) {
	assert(nb <= BATCH && nb < CANDIDATES);
	cand[nb] = pos;
	cand_match = cand_match | ((matches) << nb);
#ifdef BROKEN_STAMP_CHECK_FIRST
	cand_word[nb] = early;
	early = 0;
#endif
	nb++;
	todo = (nb > BATCH -> BATCH : todo)
}

inline end_walk() {
	step = ENDED;
	todo = nb
}

inline go_to(where) {
	pos = where;
	if
	:: LT(pos, w_low) || reused -> end_walk()
	:: else -> step = AT_HEAD
	fi
}

inline run_ends() {
#ifndef BROKEN_RUN_END
	/* does the run end here, or was it written over from here on? */
	if
	:: !LT(pos, w_low) -> consider(false)
	:: else
	fi;
#endif
	if
	:: LT(pos, next) -> end_walk()
	:: else -> go_to(next)
	fi;
	next = 0
}

inline next_of_run() {
	pos = WRAP(pos - 1);
	if
	:: LT(pos, w_low) || reused -> run_ends()
	:: else -> step = IN_RUN
	fi
}

/* The reader's half of A3: in the variant the stamp is read before id and prev. */
#ifdef BROKEN_STAMP_CHECK_FIRST
#define EARLY_OK && early
#define READ_WORD cand_word[0]
#else
#define EARLY_OK
#define READ_WORD slot[cand[0] & MASK]
#endif

/* judge(): what to do about the first candidate, whose slot held `word`. */
inline decide() {
	try = false;
	if
	:: REUSED(word, cand[0]) ->
		need_help = need_help || (HELP_FOR_REUSED && !LT(cand[0], w_settled));
		reused = true
	:: else ->
		if
		:: !(cand_match & 1) || ABORTED(word, cand[0])
		:: else ->
			if
			:: LT(cand[0], w_claim) || HANDLE_OF(word) == TOMB_TAKEN ->
#ifdef BURIED
				PROPERTY(never_late, !(answered_in_stage >> WRAP(cand[0] - START) & 1));
#endif
				need_help = need_help || (HELP_FOR_LATE && !LT(cand[0], w_settled))
			:: else -> try = true
			fi
		fi
	fi;
	if
	:: !try -> judged()
	:: else
	fi
}

#if defined(BROKEN_TOMB_MARK_LOWERED)
#define MARK(pos) tomb = pos
#elif defined(BROKEN_TOMB_UNMARKED)
#define MARK(pos) skip
#elif defined(BROKEN_TOMB_MARKED_LATE)
#define MARK(pos) late_mark = (LT(late_mark, pos) -> pos : late_mark)
#else
#define MARK(pos) tomb = (LT(tomb, pos) -> pos : tomb)
#endif

inline mark_tomb() {
	MARK(cand[0])
}

inline judged() {
	word = 0;
	cand_match = cand_match >> 1;
	do
	:: j + 1 < nb ->
		cand[j] = cand[j + 1];
#ifdef BROKEN_STAMP_CHECK_FIRST
		cand_word[j] = cand_word[j + 1];
#endif
		j++
	:: else -> break
	od;
	cand[j] = 0;
#ifdef BROKEN_STAMP_CHECK_FIRST
	cand_word[j] = 0;
#endif
	j = 0;
	nb--;
	todo--;
	if
	:: todo == 0 && reused && (step == AT_HEAD || step == AT_ANY) -> end_walk()
	:: todo == 0 && reused && step == IN_RUN -> run_ends()
	:: else
	fi
}

#ifdef BROKEN_NO_HELP
#define ASKS false
#else
#define ASKS need_help
#endif

inline clear_flag() {
	cancels = 2 * aborted_in_ring;                          /* R4 */
	step = 0; pos = 0;
	w_claim = 0; w_settled = 0; w_low = 0;
#ifdef BROKEN_FLAG_CLEARED_EARLY
	cleared = false;
#endif
	reused = false;
	need_help = false
}

inline next_cancel() {
	k++;
	w_id = 0; w_mask = 0; w_mark = 0
}

/* vnic__ring_help_answered: the cancels that wait for it return. */
inline answered() {
	aborted_in_stage = aborted_in_stage + help_aborted;     /* A7 */
#ifdef BURIED
	answered_in_stage = in_stage;
#endif
	j = 0;
	do
	:: j < CANCELS ->
		if
		:: pending >> j & 1 -> returns(j)
		:: else
		fi;
		j++
	:: else -> break
	od;
	j = 0;
	pending = 0
}

proctype canceller() {
	byte k;                         /* this cancel */
	byte pending;                   /* the cancels that wait for help, a bit each */
	byte w_id, w_mask, w_mark;      /* its target */
	byte w_claim, w_settled, w_low, late_from;
	byte step, pos, next, e_id, word;
	byte cand[CANDIDATES];
	int cand_match;
	byte nb, todo, j;
	bool try, marking, reused, need_help;
	byte g;
#ifdef BURIED
	short answered_in_stage;
#endif
#ifdef BROKEN_STAMP_CHECK_FIRST
	byte early;
	byte cand_word[CANDIDATES];
#endif
#ifdef BROKEN_FLAG_CLEARED_EARLY
	bool cleared;
#endif
#ifdef BROKEN_TOMB_MARKED_LATE
	byte late_mark = START - 1;
#endif

#ifdef FREEZE
	{
#endif
	do
	:: d_step { k == CANCELS && !pending -> canceller_done = true }; break
	:: d_step { pending && help_ack == help_seq -> answered() }     /* perhaps late */
	:: atomic {
		k < CANCELS ->
		/* A and B are alike to the model: the first is A */
		if
		:: w_id = A; w_mask = ALL
		:: k > 0 -> w_id = B; w_mask = ALL
#ifdef WALK_ALL
		:: w_id = A; w_mask = MOST
#endif
		fi;
		if
		:: w_mark = tail
#ifdef OLD_MARKS
		:: k > 0 && tail != START -> w_mark = WRAP(START + 1)  /* called before the one before */
#endif
		fi;
#ifdef LATE
		if
		:: late_from = START
		:: late_from = settled
		fi;
#else
		late_from = w_mark;
#endif
		d_step { t_id[k] = w_id; t_mask[k] = w_mask; t_mark[k] = w_mark }
	   };
		/* vnic__ring_cancel */
#ifndef BROKEN_MARK_AFTER_CLAIM
		walk_mark = w_mark;                                     /* R19 */
#endif
		RAISE_FLAG(2 * aborted_in_ring + 1);                    /* SC, and the fence */
		w_claim = claim;                                        /* SC */
#ifdef BROKEN_MARK_AFTER_CLAIM
		walk_mark = w_mark;
#endif
		d_step {
			w_settled = settled;                            /* A5 */
			w_low = (LT(late_from, w_settled) -> late_from : w_settled);
			w_low = (LT(w_claim, w_low) -> w_claim : w_low);
			late_from = 0;
			/* walk_all begins */
			pos = WRAP(w_mark - 1);
			step = (LT(pos, w_low) -> ENDED : AT_ANY);
			step = (w_mask == ALL -> AT_HEAD : step)
		};
		if
		:: d_step {
			/* walk_chain begins */
			w_mask == ALL ->
			pos = bucket[HASH(w_id)];                       /* A3 */
			pos = WIDEN_NEAR(w_claim, pos);
			if
			:: !LT(pos, w_claim + 2 * SIZE) -> step = FAR
			:: LT(pos, w_claim + 2 * SIZE) && LT(pos, w_low) -> step = ENDED
			:: else
			fi
		   }
		:: w_mask != ALL
		fi;
		do
#ifdef BROKEN_STAMP_CHECK_FIRST
		:: d_step {
			(step == AT_HEAD || step == IN_RUN || step == AT_ANY) && todo == 0 && !early ->
			early = slot[pos & MASK]
		   }
#endif
		:: d_step {
			(step == AT_HEAD && todo == 0) EARLY_OK ->
			e_id = id[pos & MASK];                          /* A3 */
			step = AT_LINK
		   }
		:: d_step {
			step == FAR ->
			reused = (LT(pos, tail + SIZE) -> true : false);
			need_help = reused;
			end_walk()
		   }
		:: d_step {
			step == AT_LINK ->
			next = WIDEN_BELOW(pos - 1, prev[pos & MASK]);  /* A3 */
			consider(e_id == w_id && BELOW_MARK(pos));
			if
			:: e_id == w_id -> next_of_run()
			:: else ->
				if
				:: HASH(e_id) != HASH(w_id) -> end_walk()
				:: else -> go_to(next)
				fi;
				next = 0
			fi;
			e_id = 0
		   }
		:: d_step {
			(step == IN_RUN && todo == 0) EARLY_OK ->
			e_id = id[pos & MASK];                          /* A3 */
			if
			:: e_id == w_id -> consider(BELOW_MARK(pos)); next_of_run()
			:: else -> run_ends()
			fi;
			e_id = 0
		   }
		:: d_step {
			(step == AT_ANY && todo == 0) EARLY_OK ->
			e_id = id[pos & MASK];                          /* A3 */
			consider(MATCH(e_id, w_id, w_mask));
			pos = WRAP(pos - 1);
			if
			:: LT(pos, w_low) || reused -> end_walk()
			:: else
			fi;
			e_id = 0
		   }
#ifdef BROKEN_FLAG_CLEARED_EARLY
		:: d_step {
			(step == ENDED && !cleared) CANCELLER_FLUSHED ->
			cancels = 2 * aborted_in_ring;
			cleared = true
		   }
#define MAY_JUDGE && (step != ENDED || cleared)
#else
#define MAY_JUDGE
#endif
		:: d_step { (todo > 0 && !try && !marking) MAY_JUDGE -> word = READ_WORD; decide() }
		:: d_step {
			/* the compare-and-exchange */
			try CANCELLER_FLUSHED ->
			if
			:: slot[cand[0] & MASK] == word ->
				slot[cand[0] & MASK] = WORD(cand[0], TOMB_ABORTED);
				g = HANDLE_OF(word);
				abort(g, k, QUEUED);
				g = 0;
				aborted_in_ring++;
				try = false;
				marking = true
			:: else ->
				word = slot[cand[0] & MASK];
				decide()
			fi
		   }
		:: d_step { marking CANCELLER_FLUSHED -> mark_tomb(); marking = false; judged() }
		:: d_step {
			(step == ENDED && todo == 0 && !(ASKS)) MAY_JUDGE CANCELLER_FLUSHED ->
			clear_flag();
			returns(k);
			next_cancel()
		   };
			goto next_one
		:: d_step {
			(step == ENDED && todo == 0 && ASKS) MAY_JUDGE CANCELLER_FLUSHED ->
			clear_flag()
		   };
			break
		od;
		if
#ifdef BROKEN_TARGET_REUSED
		:: skip
#else
		:: !pending
		:: d_step { pending && help_ack == help_seq -> answered() }
#endif
		fi;
		/* vnic__ring_help_ask */
		d_step { help_id = w_id; help_mask = w_mask };
		help_mark = w_mark;
		d_step {
			help_seq++;                                     /* R6 */
			asked = k;
			pending = pending | 1 << k;
			next_cancel()
		}
next_one:
#ifdef BROKEN_TOMB_MARKED_LATE
		tomb = late_mark
#else
		skip
#endif
	od
#ifdef FREEZE
	} unless { frozen -> canceller_done = true }
#endif
}

init {
	d_step {
		tail = 0;
		do
		:: tail < SIZE ->
			slot[(START + tail) & MASK] = WORD(START + tail - SIZE, TOMB_ABORTED);
			prev[tail] = LINK(START - 1);
			tail++
		:: else -> break
		od;
		bucket[0] = LINK(START - 1);
		bucket[1] = LINK(START - 1);
		tail = START
	}
	atomic { run producer(); run consumer(); run canceller() }
}
