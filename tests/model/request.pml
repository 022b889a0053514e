/* SPDX-License-Identifier: BSD-3-Clause
 * request.pml - a model of requests for SPIN: a cancelled one ends, and ends once
 *
 * One request, CANCELLERS threads that cancel it once (the first one does, others may),
 * and in three forms who else wants to complete it:
 *
 *   (none)   the exchange form: an owner puts it into a cancel-safe queue, DEQUEUERS
 *            threads look there for it, and complete it or put it back once
 *   LOCKED   the locked form: a driver's operation ends by itself or is given up
 *   SEND     a request whose cancel is a send's: the send's completion completes it
 *
 * Every access to memory that another thread writes is one step. SPIN's memory is
 * sequentially consistent; the cancel bit, which need not be set by an RMW, goes through
 * a store buffer that is flushed at any time before the next RMW of its thread. So does the
 * routine in the variant that stores it instead of exchanging it.
 *
 * The user's part: no cancel is called after the creator's reference has been dropped. It
 * may be dropped as soon as each cancel has begun, whatever else is under way.
 *
 * BROKEN_... variants are wrong by one thing; SPIN must find each. WEAKER_... ones do
 * without something that the code has and are still right.
 */

/* ---- configuration; tests/model/run has the list ---- */
#ifndef CANCELLERS
#define CANCELLERS 2
#endif
#ifndef DEQUEUERS
#define DEQUEUERS 1
#endif
#ifndef LIVES
#define LIVES 1         /* 2: the request is reused when it is complete */
#endif

/* ---- struct vnic_request ---- */
#define NONE 0
#define SET 1
byte routine;
bool cancelled;         /* the cancel bit; flagged in the locked form */
byte refs = 2;          /* the creator's; it is pending */
#define FRESH 0
#define PENDING 1
#define SUCCESS 2
#define CANCELLED 3
byte status = PENDING;
byte verdict;           /* what the owner writes before it completes */

/* ---- what lies elsewhere ---- */
byte cancel_lock;       /* a lock's value is its holder, 0 if it is free */
byte queue_lock;        /* in the locked form: the driver's */
byte request_lock;
bool queued;            /* in the locked form: the driver has the operation */

/* ---- what the properties need and the code does not have ---- */
bool freed;
byte life = 1;
byte called;            /* routines, in this life */
byte begun;             /* cancels, in all */
bool asked;             /* a cancel has begun in this life */
bool told;              /* ... and returned */

/* The properties, by the names that SPIN reports. They are true all the time. */
bool in_memory = true;          /* nobody uses a request that was freed */
bool completed_once = true;     /* by whoever completes it */
bool routine_out = true;        /* no routine is set at completion */
bool unlocked = true;           /* no lock is held at completion, nor by the minirdr call */
bool called_once = true;        /* the routine */
bool called_pending = true;     /* ... and taken before the completion */
bool of_its_life = true;        /* a cancel touches no later use of the request */
bool was_queued = true;         /* what a routine takes out of the queue was there */
bool fresh_routine = true;      /* none was set when the owner set his */
bool refused_cancelled = true;  /* an insert takes no request whose cancel returned before */
bool none_cancelled = true;     /* ... and remove_next returns none */
bool verdict_seen = true;       /* who sees the completion sees what led to it */
bool never_lost = true;         /* at the end: cancelled, so complete */
bool not_queued = true;         /* at the end and when freed: complete, so in no queue */
bool all_freed = true;          /* at the end: complete, so freed */
bool locks_free = true;         /* at the end */

#define PROPERTY(name, x) name = (x); assert(name)
#define TOUCH PROPERTY(in_memory, !freed)

/* ---- store buffers ---- */
bool bit_buffered[CANCELLERS];
active proctype bit_buffers() {
end:	do
	:: d_step { bit_buffered[0] -> TOUCH; cancelled = true; bit_buffered[0] = false }
#if CANCELLERS > 1
	:: d_step { bit_buffered[1] -> TOUCH; cancelled = true; bit_buffered[1] = false }
#endif
	od
}
#define BIT_FLUSHED !bit_buffered[me]
#ifdef BROKEN_RELAXED_EXCHANGE
#define TAKE_FLUSHED true
#else
#define TAKE_FLUSHED BIT_FLUSHED
#endif

#ifdef BROKEN_PLAIN_SET
byte set_buffered;      /* by this thread */
active proctype set_buffer() {
end:	do
	:: d_step { set_buffered > 0 -> TOUCH; routine = SET; set_buffered = 0 }
	od
}
#define SET_FLUSHED (set_buffered != _pid)
#else
#define SET_FLUSHED true
#endif

/* ---- locks, references ---- */
inline lock(l) {
	d_step { l == 0 -> l = _pid }
}

inline unlock(l) {
	d_step { SET_FLUSHED -> l = 0 }
}

inline ref() {
	d_step { TOUCH; refs++ }
}

inline unref() {
	d_step {
		TOUCH;
		assert(refs > 0);
		refs--;
		freed = (refs == 0);
		PROPERTY(not_queued, !freed || !queued)
	}
}

/* ---- completion: vnic_request_complete ---- */

inline complete(why) {
#ifdef LOCKED
#ifndef BROKEN_ROUTINE_LEFT
	lock(request_lock);
	d_step { TOUCH; routine = NONE };
	unlock(request_lock);
#endif
#endif
#ifndef BROKEN_STATUS_FIRST
	d_step { TOUCH; verdict = life };
#endif
	d_step {
		TOUCH;
		PROPERTY(completed_once, status == PENDING);
		PROPERTY(unlocked, cancel_lock != _pid && queue_lock != _pid && request_lock != _pid);
#ifndef LOCKED
		PROPERTY(routine_out, routine == NONE);
#endif
		status = why                                    /* R15 */
	};
#ifdef BROKEN_STATUS_FIRST
	d_step { TOUCH; verdict = life };
#endif
#ifdef BROKEN_REFERENCE_DROPPED_EARLY
	unref();
	d_step { TOUCH }                                        /* leave, done */
#else
	d_step { TOUCH };                                       /* leave, done */
	unref()
#endif
}

/* ---- the exchange form: who has the routine owns the request ---- */

/* vnic_request_set_cancel_routine(NULL) */
inline take(old) {
	d_step { SET_FLUSHED -> TOUCH; old = routine; routine = NONE }
}

inline take_plainly(old) {
	d_step { TOUCH; old = routine };
	d_step { TOUCH; routine = NONE }
}

#ifdef BROKEN_PLAIN_TAKE_OWNER
#define TAKE_BACK(old) take_plainly(old)
#else
#define TAKE_BACK(old) take(old)
#endif

#if defined(BROKEN_PLAIN_TAKE_DEQUEUER)
#define TAKE_QUEUED(old) take_plainly(old)
#elif defined(BROKEN_ROUTINE_LEFT)
#define TAKE_QUEUED(old) d_step { TOUCH; old = routine }
#else
#define TAKE_QUEUED(old) take(old)
#endif

inline set_routine() {
#ifdef BROKEN_PLAIN_SET
	d_step { TOUCH; set_buffered = _pid }
#else
	d_step { TOUCH; PROPERTY(fresh_routine, routine == NONE); routine = SET }
#endif
}

inline check_bit() {
#ifdef BROKEN_NO_CHECK
	seen = false
#else
	d_step { TOUCH; seen = cancelled }
#endif
}

/* vnic_request_queue_insert: refused if it was cancelled before; uses seen, mine, early */
inline insert() {
	early = (told -> life : 0);
#if defined(BROKEN_NO_LOOK_FIRST) || defined(BROKEN_NO_CHECK)
	seen = false;
#else
	/* another cancel could get what one has left to this thread */
	d_step { TOUCH; seen = cancelled };
#endif
	if
	:: seen -> complete(CANCELLED)
	:: else -> link_in()
	fi;
	seen = false;
	early = 0
}

inline link_in() {
	lock(queue_lock);
	d_step { TOUCH; queued = true };
	set_routine();
#ifdef BROKEN_CHECK_AFTER_UNLOCK
	unlock(queue_lock);
#endif
#if defined(BROKEN_NO_CHECK) || defined(BROKEN_CHECK_THEN_SET)
	seen = false;
#else
	check_bit();
#endif
	mine = NONE;
	if
	:: seen -> TAKE_BACK(mine)
	:: else
	fi;
	seen = false;
	if
	:: mine != NONE ->
#ifdef BROKEN_CHECK_AFTER_UNLOCK
		lock(queue_lock);
#endif
		d_step { TOUCH; PROPERTY(was_queued, queued); queued = false; mine = NONE };
		unlock(queue_lock);
		complete(CANCELLED)
	:: else ->
		/* it is taken, whoever has it now */
		d_step { PROPERTY(refused_cancelled, early != life) };
#ifndef BROKEN_CHECK_AFTER_UNLOCK
		unlock(queue_lock)
#endif
	fi
}

/* The creator, who has made it pending: issues it, reuses it, drops his reference.
 * vnic_request_reuse fails while any other reference is there. */
#ifdef BROKEN_REUSED_UNDER_CANCEL
#define REUSABLE true
#else
#define REUSABLE (refs == 1)
#endif

inline reuse() {
	d_step { status > PENDING -> PROPERTY(verdict_seen, verdict == life) }; /* A15 */
	d_step {
		REUSABLE ->
		TOUCH;
		life++;
		cancelled = false;
		status = PENDING;
		refs++;
		called = 0;
		asked = false;
		told = false
	}
}

/* Drops the creator's reference when the user may: at any time. */
proctype creator() {
	begun == CANCELLERS && life == LIVES;
#ifdef BROKEN_STATUS_FIRST
	d_step { status > PENDING -> PROPERTY(verdict_seen, verdict == life) };
#endif
	unref()
}

#if !defined(LOCKED) && !defined(SEND)
proctype owner() {
	bool seen;
	byte mine, early;

	insert();
#if LIVES > 1
	reuse();
	insert()
#endif
}

proctype dequeuer() {
	bool seen;
	byte mine, early, late;

	/* vnic_request_queue_remove_next */
	late = (told -> life : 0);
	lock(queue_lock);
	if
	:: queued ->
		TAKE_QUEUED(mine);
		if
		:: mine != NONE ->
			d_step {
				TOUCH;
				PROPERTY(was_queued, queued);
				queued = false;
				mine = NONE
			};
			unlock(queue_lock);
			/* a cancel that came too late for the routine is served here */
			d_step { TOUCH; seen = cancelled };
			if
			:: seen -> complete(CANCELLED)
			:: !seen ->
				/* it is the caller's */
				d_step { PROPERTY(none_cancelled, late != life); late = 0 };
				if
				:: complete(SUCCESS)
				:: insert()
				fi
			fi
		:: else -> unlock(queue_lock)
		fi
	:: else -> unlock(queue_lock)
	fi
}

/* the queue's cancel routine */
inline call() {
#ifdef BROKEN_CANCEL_LOCK_KEPT
	lock(queue_lock);
	d_step { TOUCH; queued = false };
	unlock(queue_lock);
	complete(CANCELLED);
	unlock(cancel_lock)
#else
	unlock(cancel_lock);
#ifdef BROKEN_UNLINK_WITHOUT_LOCK
	complete(CANCELLED);
	d_step { TOUCH; queued = false }
#else
	lock(queue_lock);
	d_step { TOUCH; PROPERTY(was_queued, queued); queued = false };
	unlock(queue_lock);
	complete(CANCELLED)
#endif
#endif
}
#endif

/* ---- a send's request ---- */

#ifdef SEND
#define QUEUED 1
#define ABORTED 2
#define SENT 3
byte nbl;
bool posted, reaches;   /* a cancel for the control thread; the NBL was queued at its call */

/* The routine: vnic_adapter_cancel. What is posted lies in the request. */
inline post_cancel() {
	d_step {
		TOUCH;
		assert(!posted);
#ifndef BROKEN_POSTED_WITHOUT_REFERENCE
		refs++;
#endif
		posted = true;
		reaches = (nbl == QUEUED)
	}
}

inline call() {
	unlock(cancel_lock);
	post_cancel()
#ifdef BROKEN_ROUTINE_COMPLETES
	;
	complete(CANCELLED)
#endif
}

proctype sender() {
	bool seen;
	byte mine;

#ifdef BROKEN_ROUTINE_BEFORE_SEND
	set_routine();
	check_bit();
	nbl = QUEUED;
#else
	nbl = QUEUED;
	set_routine();
	check_bit();
#endif
	if
	:: seen ->
		take(mine);
		if
		:: mine != NONE -> post_cancel()
		:: else
		fi
	:: else
	fi;
	/* it comes out of vnic_sender_poll: vnic_request_sent */
end:	nbl > QUEUED;
#ifndef BROKEN_ROUTINE_LEFT
	take(mine);
#endif
	if
	:: nbl == ABORTED -> complete(CANCELLED)
	:: nbl == SENT -> complete(SUCCESS)
	fi
}

/* The data thread; the port may refuse for ever. */
active proctype data() {
	if
	:: d_step { nbl == QUEUED -> nbl = SENT }
	:: true
	fi
}

active proctype control() {
end:	d_step {
		posted ->
		TOUCH;
		nbl = (nbl == QUEUED && reaches -> ABORTED : nbl)
	};
#ifndef BROKEN_POSTED_WITHOUT_REFERENCE
	unref()
#else
	d_step { TOUCH }
#endif
}
#endif

/* ---- the locked form ---- */

#ifdef LOCKED
/* The driver's own: who takes the operation out of its list completes the request. */
inline give_up(why) {
	lock(queue_lock);
	d_step { mine = queued; queued = false };
	unlock(queue_lock);
	if
	:: mine -> complete(why)
	:: else
	fi;
	mine = 0
}

#ifdef BROKEN_SET_WITHOUT_LOCK
#define SET_LOCK skip
#define SET_UNLOCK skip
#else
#define SET_LOCK lock(request_lock)
#define SET_UNLOCK unlock(request_lock)
#endif

#ifdef BROKEN_CANCEL_WITHOUT_LOCK
#define CANCEL_LOCK skip
#define CANCEL_UNLOCK skip
#else
#define CANCEL_LOCK lock(request_lock)
#define CANCEL_UNLOCK unlock(request_lock)
#endif

/* vnic_request_set_minirdr_cancel_routine */
inline set_minirdr() {
	SET_LOCK;
	d_step { TOUCH; seen = cancelled };
	if
	:: !seen -> d_step { TOUCH; routine = SET }
	:: else
	fi;
	SET_UNLOCK
}

/* Starts the operation and sets the routine, both under its own lock: a routine that
 * is called at once waits there and finds the operation, and no end overtakes the set. */
inline start() {
#ifdef BROKEN_SET_BEFORE_START
	set_minirdr();
	if
	:: !seen -> d_step { TOUCH; queued = true }
	:: else -> complete(CANCELLED)
	fi;
#else
	lock(queue_lock);
	d_step { TOUCH; queued = true };
#ifdef BROKEN_SET_AFTER_START
	unlock(queue_lock);
#endif
	set_minirdr();
#ifndef BROKEN_SET_AFTER_START
	unlock(queue_lock);
#endif
	if
	:: seen -> give_up(CANCELLED)
	:: else
	fi;
#endif
	seen = false
}

proctype owner() {
	bool seen, mine;

	start();
#if LIVES > 1
	reuse();
	start()
#endif
}

/* The operation ends, or waits for ever. */
proctype dequeuer() {
	bool mine;

	if
	:: give_up(SUCCESS)
	:: true
	fi
}
#endif

/* ---- vnic_request_cancel ---- */

proctype canceller(byte me) {
	byte old;
	byte born;
#ifdef LOCKED
	bool mine;
#endif

	if
	:: d_step {
		TOUCH;
#ifndef BROKEN_CANCEL_WITHOUT_REFERENCE
		refs++;
#endif
		begun++;
		asked = true;
		born = life
	   }
	:: d_step { me > 0 -> begun++ };        /* or he does not, after all */
		goto over
	fi;
#ifdef LOCKED
	CANCEL_LOCK;
	d_step { TOUCH; PROPERTY(of_its_life, life == born); cancelled = true };
	d_step { TOUCH; old = routine; PROPERTY(called_pending, old == NONE || status == PENDING) };
	d_step { TOUCH; routine = NONE };
#ifndef BROKEN_CALLED_UNDER_LOCK
	CANCEL_UNLOCK;
#endif
	if
	:: old != NONE ->
		d_step {
			TOUCH;
			called++;
			PROPERTY(called_once, called == 1);
			PROPERTY(unlocked, request_lock != _pid)
		};
		give_up(CANCELLED);
		d_step { TOUCH; PROPERTY(of_its_life, life == born) }
	:: else
	fi;
#else
#ifndef WEAKER_NO_CANCEL_LOCK
	lock(cancel_lock);
#endif
#if defined(BROKEN_TAKE_BEFORE_BIT)
	take(old);
	d_step { TOUCH; bit_buffered[me] = true };
	BIT_FLUSHED;
#elif defined(BROKEN_PLAIN_TAKE_CANCELLER)
	d_step { TOUCH; bit_buffered[me] = true };
	BIT_FLUSHED;
	take_plainly(old);
#else
	d_step { TOUCH; PROPERTY(of_its_life, life == born); bit_buffered[me] = true };
	d_step {
		TAKE_FLUSHED ->
		TOUCH;
		old = routine;
		PROPERTY(called_pending, old == NONE || status == PENDING);
		routine = NONE
	};
#endif
	BIT_FLUSHED;                            /* an unlock is a release at least */
	if
	:: old != NONE ->
		d_step {
			called++;
			PROPERTY(called_once, called == 1);
			PROPERTY(of_its_life, life == born)
		};
		call()
	:: else -> unlock(cancel_lock)
	fi;
#endif
	/* the result: perhaps false */
	told = (told || life == born);
#ifndef BROKEN_CANCEL_WITHOUT_REFERENCE
	unref();
#endif
over:	skip
}

init {
	atomic {
#ifdef SEND
		run sender();
#else
		run owner();
		run dequeuer();
#if DEQUEUERS > 1
		run dequeuer();
#endif
#endif
		run creator();
		run canceller(0);
#if CANCELLERS > 1
		run canceller(1);
#endif
	}
	/* nothing moves any more */
	timeout;
	d_step {
		PROPERTY(locks_free, cancel_lock == 0 && queue_lock == 0 && request_lock == 0);
		PROPERTY(never_lost, status > PENDING || !asked);
		PROPERTY(not_queued, status == PENDING || !queued);
		PROPERTY(all_freed, status == PENDING || freed)
	}
}
