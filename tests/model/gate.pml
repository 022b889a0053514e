/* SPDX-License-Identifier: BSD-3-Clause
 * gate.pml - a model of lib/gate.h for SPIN: after the closer saw nobody, nobody is inside
 *
 * Two gates, by macro:
 *
 *   (none)   the operations' gate: OPERATIONS threads go in and out, STOPPERS threads ask
 *            for a stop, the control thread serves them one at a time, and starts again
 *   DOORS    the send gate: SENDERS threads, each with a ring of its own, against the
 *            control thread, which closes, takes what is queued, and opens again
 *
 * Every access to memory that another thread writes is one step. SPIN's memory is
 * sequentially consistent; a store that the code does not order goes through a store
 * buffer that is flushed at any time before the next release or RMW of its thread that
 * orders it:
 *   - what is done inside, before the leaving (R13, R14); what is built before the opening
 *   - in the variants that give up Dekker's order, its two stores
 *
 * BROKEN_... variants are wrong by one thing that the code does right; SPIN must
 * find each. WEAKER_... ones are different from the code and still right.
 *
 * LIVE: all loop for ever, and each closing must end, as far as the scheduler is (weakly)
 * fair.
 */

/* ---- configuration; tests/model/run has the list ---- */
#ifndef OPERATIONS
#define OPERATIONS 2
#endif
#ifndef STOPPERS
#define STOPPERS 2
#endif
#ifndef SENDERS
#define SENDERS 2
#endif
#ifndef ROUNDS
#define ROUNDS 2        /* how often each goes in, or tries */
#endif
#ifndef CLOSINGS
#define CLOSINGS 2      /* of the send gate; starts of the operations' */
#endif
/* OWN: a stop is itself an operation that is inside; refused, it gets its status at once */

/* The properties, by the names that SPIN reports. They are true all the time. */
bool nobody_inside = true;      /* once the closer saw none, until it opens */
bool work_seen = true;          /* ... and it sees all that was done inside */
bool built_seen = true;         /* who is inside sees what was built before the opening */
bool stopped_once = true;       /* a teardown for each start */
bool answered_once = true;      /* each stop */
bool no_trace = true;           /* at the end: nobody is counted */
bool below_mark = true;         /* none is published after the mark was read */
bool all_taken = true;          /* a closing that has ended took all that was published */
bool all_accounted = true;      /* at the end: published or refused */

#define PROPERTY(name, x) name = (x); assert(name)

/* Who finds the gate closed in a plain load is turned away by that. */
#ifdef BROKEN_NO_LOOK
#define TRIED(closed) false
#else
#define TRIED(closed) (closed)
#endif

#ifdef LIVE
#define GOES_ON true
#define COUNT_ROUND skip
#else
#define GOES_ON (rounds < ROUNDS)
#define COUNT_ROUND rounds++
#endif

#ifndef DOORS
/* ---- the operations' gate ---- */

#define CLOSED 128
#define COUNT(word) ((word) & (CLOSED - 1))

/* struct vnic__gate */
byte word;
bool closed;            /* in the variants that have two words */

/* what the operations use */
bool built = true;
byte work;              /* a bit for each operation thread */

/* What the properties need and the code does not have: who is really inside, and what
 * they did. */
byte inside;
byte work_done;
bool seen_empty;        /* the closer has seen nobody */

/* The work's and the opening's store buffers */
bool work_buffered[OPERATIONS];
bool built_buffered;
bool closed_buffered;
active proctype buffers() {
end:	do
	:: d_step { work_buffered[0] -> work = work | 1; work_buffered[0] = false }
	:: d_step { work_buffered[1] -> work = work | 2; work_buffered[1] = false }
#if OPERATIONS > 2
	:: d_step { work_buffered[2] -> work = work | 4; work_buffered[2] = false }
#endif
	:: d_step { built_buffered -> built = true; built_buffered = false }
#ifdef BROKEN_TWO_WORDS
	:: d_step { closed_buffered -> closed = true; closed_buffered = false }
#endif
	od
}
#ifdef BROKEN_RELAXED_LEAVE
#define LEAVE_FLUSHED true
#else
#define LEAVE_FLUSHED !work_buffered[me]
#endif
#ifdef BROKEN_RELAXED_OPEN
#define OPEN_FLUSHED true
#else
#define OPEN_FLUSHED !built_buffered
#endif

inline gets_in() {
	inside++;
	PROPERTY(nobody_inside, !seen_empty)
}

/* vnic__gate_enter: in = it is inside */
inline enter() {
#if defined(BROKEN_CHECK_THEN_COUNT)
	d_step { in = !(word & CLOSED) };
	if
	:: in -> d_step { word++; gets_in() }
	:: else
	fi
#elif defined(BROKEN_TWO_WORDS) || defined(WEAKER_TWO_WORDS)
	word++;
	d_step {
		in = !closed;
		if
		:: in -> gets_in()
		:: else
		fi
	};
	if
	:: !in -> word--
	:: else
	fi
#else
	if
	:: TRIED(word & CLOSED) -> in = false
	:: !TRIED(word & CLOSED) ->
		d_step {
			in = !(word & CLOSED);
			word++;                                 /* acquire */
			if
			:: in -> gets_in()
			:: else
			fi
		};
		if
#ifndef BROKEN_REFUSED_STAYS
		:: !in -> word--                                /* relaxed */
#endif
		:: else
		fi
	fi
#endif
}

proctype operation(byte me) {
	bool in;
	byte rounds;

end:	do
	:: GOES_ON ->
		COUNT_ROUND;
		enter();
		if
		:: in ->
			d_step { PROPERTY(built_seen, built); PROPERTY(nobody_inside, !seen_empty) };
#ifndef LIVE
			d_step {
				work_done = work_done | 1 << me;
				work_buffered[me] = true
			};
#endif
			/* vnic__gate_leave: R13 */
			d_step { LEAVE_FLUSHED -> word--; inside--; in = false }
		:: else
		fi
	:: !(GOES_ON) -> break
	od
}

#if defined(BROKEN_TWO_WORDS)
#define CLOSE d_step { closed_buffered = true }
#define OPEN d_step { OPEN_FLUSHED && !closed_buffered -> closed = false; seen_empty = false }
#elif defined(WEAKER_TWO_WORDS)
#define CLOSE closed = true
#define OPEN d_step { OPEN_FLUSHED -> closed = false; seen_empty = false }
#else
#define CLOSE word = word | CLOSED
#define OPEN d_step { OPEN_FLUSHED -> word = word & ~CLOSED; seen_empty = false }
#endif

/* vnic__gate_empty: A13 */
#ifdef OWN
#define EMPTY (COUNT(word) <= 1)
#else
#define EMPTY (COUNT(word) == 0)
#endif

inline sees_none() {
	seen_empty = true;
	PROPERTY(nobody_inside, inside == 0);
	PROPERTY(work_seen, work == work_done)
}

/* The driver's stop: what the operations use goes away. */
inline tear_down() {
	PROPERTY(stopped_once, built || built_buffered);
	PROPERTY(nobody_inside, inside == 0);
	built = false;
	built_buffered = false;
	work = 0; work_done = 0
}

#ifdef LIVE
/* Closes and opens for ever. */
active proctype control() {
	do
	:: CLOSE;
		EMPTY;
progress:	seen_empty = true;
		OPEN
	od
}

init {
	atomic {
		run operation(0);
		run operation(1)
	}
}

#else

#define STARTABLE 0
#define STARTED 1
#define STOPPING 2

/* The stops' answers. */
#define NONE 0
#define ASKED 1
#define DONE 2
#define STOPPED_ALREADY 3
#define UNDER_WAY 4
byte answer[STOPPERS];
byte state = STARTED;
byte starts = 1;

inline answers(who, what) {
	PROPERTY(answered_once, answer[who] == ASKED);
	answer[who] = what
#ifdef OWN
	;
	word--
#endif
}

#ifdef BROKEN_STOP_ANYWHERE
/* Each stops by itself, in its own thread. */
proctype stopper(byte me) {
	answer[me] = ASKED;
	if
	:: state == STARTED ->
		state = STOPPING;
		CLOSE;
		d_step { EMPTY -> sees_none() };
		d_step { tear_down() };
		d_step { answers(me, DONE); state = STARTABLE }
	:: else -> answers(me, UNDER_WAY)
	fi
}
#else
/* Posts its request and waits; the control thread serves those posted. */
proctype stopper(byte me) {
#ifdef OWN
	bool in;

	d_step { in = !(word & CLOSED); word++ };
	if
	:: in -> answer[me] = ASKED
	:: else -> d_step { word--; answer[me] = UNDER_WAY }
	fi;
#else
	answer[me] = ASKED;
#endif
	answer[me] > ASKED
}
#endif

#define POSTED(i) (answer[i] == ASKED && (state != STOPPING || stopping != i))

/* One request a step; what it waits for it looks at in the next poll. */
proctype control() {
	byte stopping;                  /* the stop under way */
	byte who;

end:	do
#ifndef BROKEN_STOP_ANYWHERE
	:: atomic {
		POSTED(0) || POSTED(STOPPERS - 1) ->
		if
		:: POSTED(0)
		:: POSTED(STOPPERS - 1) -> who = STOPPERS - 1
		fi
	   };
		if
		:: state == STARTED ->
			state = STOPPING;
			stopping = who;
#ifdef BROKEN_CLOSE_AFTER_EMPTY
			d_step { EMPTY -> sees_none() };
			CLOSE;
			d_step { tear_down() };
			d_step { answers(stopping, DONE); stopping = 0; state = STARTABLE }
#else
			CLOSE
#endif
		:: state == STOPPING -> d_step { answers(who, UNDER_WAY) }
		:: state == STARTABLE -> d_step { answers(who, STOPPED_ALREADY) }
		fi;
		who = 0
	:: d_step { state == STOPPING && EMPTY -> sees_none() };
		d_step { tear_down() };
		d_step { answers(stopping, DONE); stopping = 0; state = STARTABLE }
#endif
	:: state == STARTABLE && starts < CLOSINGS ->
		d_step { starts++; built_buffered = true };
		state = STARTED;
		OPEN
	od
}

init {
	atomic {
		run operation(0);
		run operation(1);
#if OPERATIONS > 2
		run operation(2);
#endif
		run stopper(0);
#if STOPPERS > 1
		run stopper(1);
#endif
		run control()
	}
	/* nothing moves any more */
	timeout;
	d_step {
		PROPERTY(no_trace, COUNT(word) == 0 && inside == 0);
		PROPERTY(answered_once, answer[0] > ASKED);
#if STOPPERS > 1
		PROPERTY(answered_once, answer[1] > ASKED);
#endif
	}
}
#endif

#else
/* ---- the send gate ---- */

#define OPEN 0
#define PAUSED 1

byte gate = OPEN;
bool door[SENDERS];
byte tail[SENDERS];
bool built = true;      /* what the control thread prepares before it opens */

/* What the properties need and the code does not have. */
bool marked[SENDERS];   /* the closer has read the mark */
byte published;         /* in all, whether or not visible */
byte refused;

/* ---- store buffers ---- */
bool tail_buffered[SENDERS];
bool door_buffered[SENDERS];
bool gate_buffered;
bool built_buffered;

inline tail_reaches(s) {
	PROPERTY(below_mark, !marked[s]);
	tail[s] = tail[s] + 1;
	tail_buffered[s] = false
}

active proctype buffers() {
end:	do
	:: d_step { tail_buffered[0] -> tail_reaches(0) }
#if SENDERS > 1
	:: d_step { tail_buffered[1] -> tail_reaches(1) }
#endif
#ifdef BROKEN_PLAIN_DOOR
	:: d_step { door_buffered[0] -> door[0] = true; door_buffered[0] = false }
#if SENDERS > 1
	:: d_step { door_buffered[1] -> door[1] = true; door_buffered[1] = false }
#endif
#endif
#ifdef BROKEN_PLAIN_GATE
	:: d_step { gate_buffered -> gate = PAUSED; gate_buffered = false }
#endif
	:: d_step { built_buffered -> built = true; built_buffered = false }
	od
}

#ifdef BROKEN_PLAIN_DOOR
#define SET_DOOR d_step { door_buffered[me] = true }
#else
#define SET_DOOR door[me] = true
#endif
#ifdef BROKEN_RELAXED_DOOR_CLEAR
#define CLEAR_DOOR d_step { !door_buffered[me] -> door[me] = false }
#else
#define CLEAR_DOOR d_step { !tail_buffered[me] && !door_buffered[me] -> door[me] = false }
#endif

/* vnic__ring_publish: a release, as is what follows of its own thread */
inline publish() {
	d_step {
		!tail_buffered[me] ->
		PROPERTY(below_mark, !marked[me]);
		PROPERTY(built_seen, built);
#ifndef LIVE
		tail_buffered[me] = true;
		published++
#endif
	}
}

/* vnic_send, and what stands behind it */
proctype sender(byte me) {
	byte g;
	byte rounds;

end:	do
	:: GOES_ON ->
		COUNT_ROUND;
		if
		:: TRIED(gate != OPEN) -> g = PAUSED
		:: !TRIED(gate != OPEN) ->
#ifdef BROKEN_GATE_BEFORE_DOOR
			g = gate;
			SET_DOOR;
#else
			SET_DOOR;                               /* SC, and the fence */
			g = gate;                               /* SC */
#endif
#ifdef BROKEN_DOOR_CLEARED_EARLY
			CLEAR_DOOR;
#endif
			if
			:: g == OPEN -> publish()
			:: else
			fi;
#ifndef BROKEN_DOOR_CLEARED_EARLY
			CLEAR_DOOR                              /* R14 */
#endif
		fi;
#ifndef LIVE
		d_step { refused = refused + (g != OPEN -> 1 : 0) };
#endif
		g = 0
	:: !(GOES_ON) -> break
	od
}

#ifdef BROKEN_RELAXED_OPEN
#define OPEN_FLUSHED !gate_buffered
#else
#define OPEN_FLUSHED (!gate_buffered && !built_buffered)
#endif

/* vnic__door_clear: SC, A14 */
inline wait_door() {
	!door[s]
}

inline read_mark() {
	d_step { mark = tail[s]; marked[s] = true }
}

proctype control() {
	byte s;
	byte mark;
	byte closings;

	do
#ifdef LIVE
	:: true ->
#else
	:: closings == CLOSINGS -> break
	:: closings < CLOSINGS ->
		closings++;
#endif
#ifdef BROKEN_DOOR_BEFORE_GATE
		do
		:: s < SENDERS -> wait_door(); s++
		:: s == SENDERS -> break
		od;
		s = 0;
#endif
		/* vnic__send_gate_set */
#ifdef BROKEN_PLAIN_GATE
		gate_buffered = true;
#else
		gate = PAUSED;                                  /* SC */
#endif
		do
		:: s < SENDERS ->
#ifdef BROKEN_MARK_BEFORE_DOOR
			read_mark();
#endif
#ifndef BROKEN_DOOR_BEFORE_GATE
			wait_door();
#endif
#ifndef BROKEN_MARK_BEFORE_DOOR
			read_mark();
#endif
			/* what lies below the mark is taken back */
			d_step { PROPERTY(all_taken, tail[s] == mark); mark = 0 };
			s++
		:: s == SENDERS -> break
		od;
		/* the closing ends: paused, torn down */
#ifdef LIVE
progress:
#endif
		atomic {
			s = 0;
			do
			:: s < SENDERS -> PROPERTY(all_taken, !tail_buffered[s]); s++
			:: else -> break
			od;
			s = 0;
			built = false
		};
		/* ... and is opened again */
		built_buffered = true;
		d_step {
			OPEN_FLUSHED ->
			gate = OPEN;
			do
			:: s < SENDERS -> marked[s] = false; s++
			:: else -> break
			od;
			s = 0
		}
	od
}

init {
	atomic {
		run sender(0);
#if SENDERS > 1
		run sender(1);
#endif
		run control()
	}
#ifndef LIVE
	/* nothing moves any more */
	timeout;
	d_step {
#if SENDERS > 1
		PROPERTY(all_accounted, tail[0] + tail[1] == published);
#else
		PROPERTY(all_accounted, tail[0] == published);
#endif
		PROPERTY(all_accounted, published + refused == SENDERS * ROUNDS);
		PROPERTY(no_trace, !door[0])
#if SENDERS > 1
		;
		PROPERTY(no_trace, !door[1])
#endif
	}
#endif
}
#endif
