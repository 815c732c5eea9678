/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Who owns a flow: the protocol of maps/owner.h as a model for spin.
 * docs/OWNERSHIP.md draws it and says what is left out; model.sh runs it.
 *
 * One way of flow_table, TUPLES connections that want it, CPUS processors that
 * run XDP, THREADS threads of the reactor, a rx ring for each, one cache slot.
 * A comment "= file: function()" names what a step models; model.sh fails if
 * that function is gone. Each step is one access to what others may change.
 *
 * Sizes: TUPLES CPUS THREADS REQUESTS (of a connection, then its FIN), KILLS
 * (and restarts), STALLS (heartbeats that go stale), LOSS (of whatever is on
 * a wire), REFILLS (of the slot). LIVE: the reactor's turns are in order and
 * leave nothing out that is due, so that weak fairness means progress.
 * BUG_*: seeded bugs. */

#ifndef TUPLES
#define TUPLES 1
#endif
#ifndef CPUS
#define CPUS 2
#endif
#ifndef THREADS
#define THREADS 1
#endif
#ifndef REQUESTS
#define REQUESTS 2
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef STALLS
#define STALLS 1
#endif
#ifndef LOSS
#define LOSS 0
#endif
#ifndef REFILLS
#define REFILLS 0
#endif
#ifndef RING
#define RING 1
#endif
#ifndef RETRIES			/* of the peers together; 255: for ever */
#define RETRIES 255
#endif
#define LOOKS 2			/* LOOKS_MAX is 4; beyond it, a loss */
#define TRIES 2			/* SPIN_MAX is 1000; likewise */
#ifndef EVICT
#define EVICT 0
#endif

#define FIN (REQUESTS + 1)	/* the number of the FIN, as if a request */
#define ANY TUPLES		/* whichever connection it is */

/* --- the owner word ------------------------------------------------------ */

/* = maps/owner.h: dawn_owner() */
#define FREE   0
#define KERNEL 1
#define LOCKED 2
#define USER   3
#define WORD(state, clean, thread, inc) \
	((state) << 8 | (clean) << 7 | (thread) << 6 | (inc) << 4)
#define STATE(w)  ((w) >> 8)
#define CLEAN(w)  ((w) >> 7 & 1)
#define THREAD(w) ((w) >> 6 & 1)
#define INC(w)    ((w) >> 4 & 3)
#define GEN(w)    ((w) & 15)
#define NONE      15		/* no word is held: no state, generation 15 */

#define HISTORY   (1 << 7 | 14)	/* a word that is not the present one */

short owner = 0;
short x_word[CPUS] = NONE;	/* as each CPU has read it */
short s_word[THREADS] = NONE;	/* as each thread has read it */
short c_word[THREADS] = NONE;	/* as its control block holds it */

#define outdate(word) \
	if \
	:: word == owner -> word = HISTORY \
	:: else \
	fi

/* The next word, its generation raised. Words are only ever compared with the
 * present one, so instead of counting the present one has generation 0, and
 * whoever holds it is told when it is history: a counter that never wraps,
 * in the fewest states. With GENERATIONS it counts, and wraps. */
inline become(word)
{
#if defined(GENERATIONS)
	owner = (word) | (GEN(owner) + 1) % GENERATIONS
#else
	d_step {
		outdate(x_word[0]);
#if CPUS > 1
		outdate(x_word[1]);
#endif
		outdate(s_word[0]);
		outdate(c_word[0]);
#if THREADS > 1
		outdate(s_word[1]);
		outdate(c_word[1]);
#endif
		owner = word
	}
#endif
}

/* --- the entry, as it is mapped ------------------------------------------ */

bit  set_lock;		/* of the set */
bit  tag;		/* its way's tag is set */
byte e_tuple;		/* whose it is */
byte e_rcv;		/* rcv_nxt: number of the next request */
bit  e_out;		/* the answer before that is unacknowledged */
byte e_resp;		/* resp_*: generation of the slot it came from, or 0 */
bit  e_fin;		/* LAST_ACK */
bit  unacked;		/* the flow's bit */

/* --- what is asked of the protocol --------------------------------------- */

/* Who may write the entry now: 0, 1 + CPU, or REACTOR + thread. */
#define REACTOR 8
byte holder;
#define hold(who)   assert(holder == 0); holder = who
#define unhold(who) assert(holder == who); holder = 0
#define writes(who) assert(holder == who)

/* An answer by what it says: its slot's generation, or that the reactor made
 * it from elsewhere, or a FIN. 0: not yet answered. */
#define MADE_BY_REACTOR 14
#define MADE_FIN        15
byte answer[TUPLES * (FIN + 1)];
#define ANSWER(t, n) answer[(t) * (FIN + 1) + (n)]

bit proven[TUPLES];	/* its cookie has made a flow */
bit evicted[TUPLES];
bit killed;		/* there was a kill: connections may be reset */

/* --- what both halves share ---------------------------------------------- */

byte incarnation = 1;	/* config.incarnation */
bit  fresh = 1;		/* heartbeat is younger than 100 ms */
bit  bound = 1;		/* a socket is in xsks */
bit  living = 1;	/* the reactor's process lives */
bit  parked[THREADS];	/* this thread has died with it */

byte loss = LOSS, kills = KILLS, stalls = STALLS, retries = RETRIES;

/* A packet: tuple, number of the request, whether that is in it (else it is
 * a bare ACK), number of the latest answer that it acknowledges. */
chan wire = [TUPLES] of { byte, byte, bit, byte };
chan rx[THREADS] = [RING] of { byte, byte, bit, byte };
#if THREADS > 1
#define QUEUE me	/* each CPU has its queue, each queue its thread */
#else
#define QUEUE 0		/* one queue that runs on two CPUs */
#endif

/* --- peers --------------------------------------------------------------- */

byte asked[TUPLES];	/* number of the latest request */
byte got[TUPLES];	/* number of the latest answer received */
bit  owes[TUPLES];	/* an ACK */
bit  on_wire[TUPLES];	/* a packet is under way to us */
bit  reset[TUPLES];	/* by a RST */
#define DONE(t) (reset[t] || got[t] == FIN)
#if TUPLES > 1
#define ALL_DONE (DONE(0) && DONE(1))
#else
#define ALL_DONE DONE(0)
#endif

/* The same request is answered once, and every time with the same bytes. */
inline to_peer(t, n, what)
{
	assert(what == ANSWER(t, n));
	if
	:: loss > 0 -> loss--
	:: !reset[t] ->
		if
		:: got[t] < n -> got[t] = n
		:: else
		fi;
		owes[t] = 1
	:: reset[t]
	fi
}

/* A reset needs a reason: a kill, an eviction, or that all is over. */
inline rst_to_peer(t)
{
	assert(killed || evicted[t] || got[t] == FIN);
	if
	:: loss > 0 -> loss--
	:: got[t] < FIN -> reset[t] = 1; owes[t] = 0
	:: got[t] == FIN
	fi
}

proctype Peer(byte t)
{
end:	do
	:: atomic { !reset[t] && asked[t] == got[t] && got[t] < FIN &&
		    !on_wire[t] -> /* the next request; it carries the ACK */
		asked[t]++;
		owes[t] = 0;
send:		if
		:: loss > 0 -> loss--
		:: on_wire[t] = 1;
		   wire!t, asked[t], 1, asked[t] - 1
		fi }
	:: atomic { !reset[t] && asked[t] > got[t] && !on_wire[t] &&
		    retries > 0 -> /* its RTO */
		retries = retries - (retries != 255);
		goto send }
	:: atomic { !reset[t] && owes[t] && asked[t] == got[t] &&
		    !on_wire[t] ->
		owes[t] = 0;
		if
		:: loss > 0 -> loss--
		:: on_wire[t] = 1;
		   wire!t, got[t] + 1, 0, got[t]
		fi }
	od
}

/* --- the cache slot ------------------------------------------------------ */

bit  slot_live = 1;	/* LIVE; else RETIRED or FREE */
byte slot_gen = 1;	/* and what stands in the slot is this, too */
bit  indexed = 1;
bit  in_prog[CPUS];	/* an XDP program runs there */
bit  grace[CPUS];	/* it ran when the grace period was asked for */

/* = user/cache/kcache_reap.c: dawn_kc_retire()
 * = user/cache/kcache_reap.c: advance()
 * = user/cache/kcache_reap.c: drop_from_index() */
#if REFILLS
active proctype Reaper()
{
	byte n = 0;

end:	do
	:: n < REFILLS ->
		n++;
		slot_live = 0;	/* LIVE -> RETIRED */
		indexed = 0;
#ifndef BUG_NO_GRACE
		/* = user/cache/kcache_grace.c: dawn_grace_ask() */
		atomic { grace[0] = in_prog[0];
			 grace[CPUS - 1] = in_prog[CPUS - 1] };
		/* = user/cache/kcache_grace.c: dawn_grace_done() */
		!grace[0] && !grace[CPUS - 1];
#endif
		/* = user/cache/kcache_reap.c: find_named()
		 * = user/cache/kcache_reap.c: mark_named() */
		do
		:: !unacked -> break
		:: unacked ->
			if
			:: STATE(owner) == FREE || e_resp != slot_gen -> break
			:: else	/* another round */
			fi
		od;
		/* FREE -> FILLING -> LIVE, new bytes.
		 * = user/cache/kcache.c: claim_slot() */
		atomic { /* a reactor that has not yet looked may write it */
			assert(STATE(owner) == FREE || holder >= REACTOR ||
			       e_resp != slot_gen);
			slot_gen++
		}
		slot_live = 1;
		indexed = 1
	od
}
#endif

/* --- XDP ----------------------------------------------------------------- */

/* Is the packet refused by xsks, the heartbeat (10 s) or the backlog? A stale
 * heartbeat may be that old.
 * = bpf/verdict.bpf.h: punt_refused() */
inline ask_refused(refused)
{
	if
	:: !bound -> refused = 1
	:: bound -> refused = 0
	:: bound && !fresh -> refused = 1
	fi
}

/* = bpf/tcp_end.bpf.h: give_up() */
inline give_up()
{
	ask_refused(refused);
	if
	:: !refused -> then = USER; punt = 1
	:: refused	/* dropped, the flow stays as it is */
	fi
}

/* The response once more.
 * = bpf/tcp_input.bpf.h: resend() */
inline resend()
{
	if
	:: fresh -> give_up()
	:: !fresh ->
		/* = bpf/response.bpf.h: send_response(): compares the gen */
		assert(e_resp == slot_gen);
		to_peer(t, e_rcv - 1, slot_gen)
	fi
}

/* A segment that does not begin at rcv_nxt.
 * = bpf/tcp_input.bpf.h: input_elsewhere() */
inline input_elsewhere()
{
	/* Beyond it: then the entry has forgotten what the peer was told. */
	assert(seq < e_rcv);
	if
	:: data && e_resp && seq == e_rcv - 1 -> resend()
	:: data && e_fin && seq == e_rcv - 1 -> to_peer(t, seq, MADE_FIN)
	:: else		/* old: an ACK in return */
	fi
}

/* = bpf/tcp_input.bpf.h: input_fin() */
inline input_fin()
{
	if
	:: e_out -> give_up()
	:: !e_out ->
		writes(1 + me);
		assert(!ANSWER(t, seq));
		ANSWER(t, seq) = MADE_FIN;
		e_rcv++;
		e_out = 1;
		e_fin = 1;
		sent = 1;
		to_peer(t, seq, MADE_FIN)
	fi
}

/* A request: in the cache, or not for us to answer.
 * = bpf/tcp_input.bpf.h: input_data()
 * = bpf/tcp_input.bpf.h: find_answer() */
inline input_data()
{
	if
	:: e_out -> give_up()
	:: !e_out && indexed && slot_live -> x_gen = slot_gen
	:: !e_out -> give_up()	/* a miss; another kind of request */
	fi
}

/* = bpf/tcp_input.bpf.h: note_sent() */
inline send_hit()
{
	writes(1 + me);
	assert(!ANSWER(t, seq));
	ANSWER(t, seq) = x_gen;
	e_rcv++;
	e_out = 1;
	e_resp = x_gen;
	sent = 1;
	to_peer(t, seq, slot_gen)	/* what stands there now */
}

/* The ACK field.
 * = bpf/tcp_input.bpf.h: input_ack() */
inline input_ack()
{
	assert(ack < e_rcv);
	if
	:: e_out && ack == e_rcv - 1 ->
		/* = bpf/tcp_input.bpf.h: take_acked() */
		writes(1 + me);
		e_out = 0;
		e_resp = 0;
		unacked = 0
	:: e_out && ack < e_rcv - 1 && !data ->
		/* = bpf/tcp_input.bpf.h: input_dup_ack() */
		give_up()
	:: else
	fi
}

/* One segment of a flow that we hold.
 * = bpf/tcp_input.bpf.h: tcp_input() */
inline tcp_input()
{
	then = KERNEL;
	if
	:: seq != e_rcv -> input_elsewhere()
	:: seq == e_rcv ->
		input_ack();
		if
		:: punt || (e_fin && e_out)
		:: !punt && e_fin && !e_out ->
			/* = bpf/tcp_end.bpf.h: close_flow() */
			then = FREE
		:: !punt && !e_fin && data && seq == FIN -> input_fin()
		:: !punt && !e_fin && data && seq != FIN -> input_data()
		:: !punt && !e_fin && !data
		fi
	fi
}

/* Who reaps slots may look between these; nobody else can. */
#if REFILLS
#define MERGED_FINISH
#define FINISH finish_input();
#else
#define MERGED_FINISH ; finish_input()
#define FINISH
#endif
inline finish_input()
{
	if
	:: x_gen -> atomic { send_hit(); x_gen = 0 }
	:: else
	fi;
	if
	:: sent -> atomic {
		/* = bpf/tcp_input.bpf.h: set_unacked() */
		writes(1 + me);
		unacked = 1;
		sent = 0 }
	:: else
	fi
}

/* = bpf/flow.bpf.h: flow_lock() */
inline flow_lock()
{
	atomic {
		if
		:: owner == x_word[me] ->
			become(WORD(LOCKED, 0, 0, 0));
			hold(1 + me);
			won = 1
		:: else -> won = 0
		fi;
		x_word[me] = NONE
	}
}

/* The end of the program. */
inline leave()
{
	in_prog[me] = 0;
	grace[me] = 0;
	t = 0; seq = 0; data = 0; ack = 0;
	found = 0; punt = 0; won = 0; refused = 0; then = 0
}

/* = bpf/tcp.bpf.h: release()
 * = bpf/flow.bpf.h: flow_unlock() */
inline release()
{
	if
	:: then == FREE ->
		/* = bpf/flow.bpf.h: flow_free() */
		atomic { unacked = 0; tag = 0 }
	:: else
	fi;
	atomic {
		unhold(1 + me);
		if
		:: then == USER ->
			become(WORD(USER, 1, QUEUE, incarnation))
		:: then == KERNEL -> become(WORD(KERNEL, 0, 0, 0))
		:: then == FREE ->
			become(WORD(FREE, 0, 0, 0));
			e_resp = 0; e_out = 0; e_fin = 0; e_rcv = 0; e_tuple = 0
		fi;
		if
		:: !punt && !stale -> leave()
		:: else
		fi
	}
}

/* Whose is it? Leaves with `won`: we hold it; else `punt` says more.
 * = bpf/tcp.bpf.h: acquire()
 * = bpf/tcp.bpf.h: reclaimable() */
inline acquire()
{
	atomic {
		x_word[me] = owner;
		punt = 1;
		if
		:: STATE(x_word[me]) == KERNEL -> punt = 0
		:: STATE(x_word[me]) == USER &&
#ifndef BUG_RECLAIM_DIRTY
		   CLEAN(x_word[me]) &&
#endif
		   (INC(x_word[me]) != incarnation || !fresh) -> punt = 0
#ifndef BUG_NO_RESET
		:: STATE(x_word[me]) == USER && !CLEAN(x_word[me]) && fresh &&
		   INC(x_word[me]) != incarnation -> punt = 0; stale = 1
#endif
		:: else -> x_word[me] = NONE
		fi
	}
	if
	:: !punt -> flow_lock();
		atomic { punt = !won; stale = stale && won }
	:: else
	fi
}

/* = bpf/tcp.bpf.h: known_flow() */
inline known_flow()
{
	acquire();
	if
	:: stale ->
		/* = bpf/tcp.bpf.h: reset_stale() */
		then = FREE;
		release();
		atomic { rst_to_peer(t); stale = 0 }
	:: won && !stale ->
		atomic {
			then = KERNEL;
#ifndef BUG_XDP_NO_COMPARE
			if
			:: e_tuple != t -> punt = 1
			:: e_tuple == t -> tcp_input()
			fi
#else
			tcp_input()
#endif
			MERGED_FINISH
		}
		FINISH
		release()
	:: else
	fi
}

/* The first request proves a cookie. That it does so only once is looked at
 * under the lock of the set: its copy on the other CPU finds the lock taken,
 * or the flow. Leaves with `found`, if the flow is there by now.
 * = bpf/tcp.bpf.h: unknown_ack()
 * = bpf/flow.bpf.h: make_flow()
 * = bpf/proven.bpf.h: proven_before()
 * = bpf/proven.bpf.h: proven_note() */
inline unknown_ack()
{
	atomic {
		if
		:: seq != 1 || !data -> rst_to_peer(t)
#ifdef BUG_COOKIE_EARLY
		:: seq == 1 && data && proven[t] -> rst_to_peer(t)
#endif
		:: else ->
			if
			:: set_lock -> punt = 1
			:: !set_lock -> set_lock = 1; locked = 1
			fi
		fi
	}
	if
	:: locked -> atomic {
		found = tag && e_tuple == t;
		if
		:: found -> set_lock = 0; locked = 0
#ifndef BUG_COOKIE_TWICE
		:: !found && proven[t] ->
			rst_to_peer(t);
			set_lock = 0;
			locked = 0
#endif
		:: else ->
			x_word[me] = owner;
			if
			/* = bpf/flow.bpf.h: claim_free() */
			:: STATE(x_word[me]) == FREE && !tag
#if EVICT
			/* = bpf/flow.bpf.h: claim_victim()
			 * = bpf/evict.bpf.h: look_for_victim() */
			:: STATE(x_word[me]) == KERNEL && tag && !e_resp &&
			   !e_out
#endif
			:: else ->	/* full: dropped */
				x_word[me] = NONE;
				set_lock = 0;
				locked = 0
			fi
		fi }
	:: else
	fi;
	if
	:: locked -> flow_lock()
	:: else
	fi;
	if
	:: locked && !won -> atomic { set_lock = 0; locked = 0 }
	:: won ->
		/* = bpf/flow.bpf.h: flow_init() */
		atomic {
			writes(1 + me);
			if
			:: tag -> evicted[e_tuple] = 1; unacked = 0
			:: else
			fi;
			proven[t] = 1;
			e_tuple = t;
			e_rcv = 1
		}
		atomic { tag = 1; set_lock = 0; locked = 0 };
		atomic { tcp_input() MERGED_FINISH };
		FINISH
		release()
	:: else
	fi
}

/* = bpf/verdict.bpf.h: conclude_punt() */
inline conclude()
{
	if
	:: !in_prog[me]
	:: in_prog[me] -> atomic {
		if
		:: punt ->
			ask_refused(refused);
			if
			:: refused
			:: !refused && full(rx[QUEUE])
			:: !refused && nfull(rx[QUEUE]) ->
				rx[QUEUE]!t, seq, data, ack
			fi
		:: else
		fi;
		leave() }
	fi
}

/* With one queue the CPUs are alike: the second works when the first does. */
#if THREADS > 1
#define IDLE_BEFORE(me) true
#else
#define IDLE_BEFORE(me) ((me) == 0 || in_prog[0])
#endif

proctype Xdp(byte me)
{
	byte t, seq, ack, then, x_gen;
	bit data, found, locked, punt, won, stale, refused, sent;

end:	do
	:: atomic { IDLE_BEFORE(me) && nempty(wire) ->
		wire?t, seq, data, ack;
		on_wire[t] = 0;
		in_prog[me] = 1;
		/* = bpf/tcp.bpf.h: handle_tcp()
		 * = bpf/flow.bpf.h: lookup_flow() */
		found = tag && e_tuple == t };
		if
		:: !found -> unknown_ack()
		:: else
		fi;
		if
		:: found -> known_flow()
		:: else
		fi;
		conclude()
	od
}

/* --- the reactor --------------------------------------------------------- */

/* A thread's control block of the flow, if it has one. */
bit  c_open[THREADS];
byte c_tuple[THREADS];
byte c_rcv[THREADS];	/* as the engine has it */
bit  c_out[THREADS];	/* an answer is unacknowledged, */
byte c_what[THREADS];	/* this one, copied; */
byte c_named[THREADS];	/* and it is the bytes of that generation; or 0 */
bit  c_fin[THREADS];

#define forget() \
	c_open[th] = 0; c_word[th] = NONE; c_tuple[th] = 0; c_rcv[th] = 0; c_out[th] = 0; \
	c_what[th] = 0; c_named[th] = 0; c_fin[th] = 0

/* What a claim may find, enum dawn_claim. */
#define BUSY  0
#define OURS  1
#define TAKEN 2
#define OTHER 3
#define DEAD  4
#define GONE  5
#define TAKE  6	/* not yet */

/* = user/net/flows.c: swap() */
#define SWAP_WON(word) (owner == word)

/* Leaves a word in s_word.
 * = user/net/flows.c: take() */
inline take(tuple)
{
#ifdef BUG_REACTOR_LOCKS
	atomic {
		if
		:: SWAP_WON(s_word[th]) ->
			become(WORD(LOCKED, 0, 0, 0));
			s_word[th] = owner
		:: else
		fi
	}
#endif
	atomic {
		if
		:: SWAP_WON(s_word[th]) ->
			assert(holder == 0);
			become(WORD(USER, 1, th, mine));
			s_word[th] = owner;
			claim = TAKEN;
			known = 0;
#ifndef BUG_TAKE_NO_COMPARE
			if
			:: tuple != ANY && e_tuple != tuple -> claim = GONE
			:: else
			fi
#endif
		:: else -> claim = BUSY
		fi
	}
	if
	:: claim == GONE -> give_as_is()
	:: else
	fi
}

/* From CLEAN: nothing has been written.
 * = user/net/flows.c: dawn_flows_give() */
inline give_as_is()
{
	atomic {
		if
		:: SWAP_WON(s_word[th]) ->
			become(WORD(KERNEL, 0, 0, 0))
		:: else
		fi;
		s_word[th] = NONE
	}
}

#ifdef BUG_ADOPT_DIRTY
#define ADOPTABLE(w) 1
#else
#define ADOPTABLE(w) CLEAN(w)
#endif

/* = user/net/flows.c: dawn_flows_claim()
 * = user/net/flows.c: claim_user() */
inline claim_flow(tuple)
{
	claim = BUSY;
	tries = 0;
	do
	:: claim == TAKE -> take(tuple)
	:: claim == BUSY && tries < TRIES ->
		atomic {
			tries++;
			s_word[th] = owner;
			known = c_open[th] && c_word[th] == owner;
			if
			:: STATE(s_word[th]) == LOCKED
			:: STATE(s_word[th]) == FREE -> claim = GONE
			:: STATE(s_word[th]) == KERNEL -> claim = TAKE
			:: STATE(s_word[th]) == USER &&
			   INC(s_word[th]) != mine ->
				claim = (ADOPTABLE(s_word[th]) -> TAKE : DEAD)
			:: STATE(s_word[th]) == USER &&
			   INC(s_word[th]) == mine ->
				claim = (THREAD(s_word[th]) == th ->
					 OURS : OTHER);
				if
				:: tuple != ANY && e_tuple != tuple ->
					claim = GONE
				:: else
				fi
			fi
		}
	:: else -> tries = 0; break
	od
}

/* The control block of a flow that is ours under s_word. Leaves with c_open,
 * or without: look again.
 * = user/net/reactor_rx.c: conn_for()
 * = user/net/reactor_conn.c: dawn_conn_make() */
inline conn_for()
{
	atomic {
		if
		:: known -> s_word[th] = NONE
		:: else ->
			/* "Never: dirty flows of ours have a control block." */
			assert(CLEAN(s_word[th]) || owner != s_word[th]);
			/* = user/net/flows.h: dawn_flows_copy() */
			forget();
			c_tuple[th] = e_tuple;
			c_rcv[th] = e_rcv;
			c_out[th] = e_out;
			c_fin[th] = e_fin;
			c_what[th] = (e_fin -> MADE_FIN : e_resp)
		fi
	}
	if
	:: c_open[th]
	:: !c_open[th] -> atomic {
		if
		:: owner == s_word[th] ->
			c_word[th] = s_word[th];
			c_open[th] = 1
		:: else -> forget()
		fi;
		s_word[th] = NONE }
		/* The bytes are copied; gone is what nobody holds any more.
		 * = user/net/reactor_local.c: dawn_slot_bytes() */
		atomic {
			if
			:: c_open[th] && c_out[th] && !c_fin[th] &&
			   c_what[th] != slot_gen ->
				assert(owner != c_word[th]);
				forget()
			:: else
			fi
		}
	fi
}

/* Leaves with c_open, or without: XDP has the flow.
 * = user/net/reactor_conn.c: dawn_conn_dirty()
 * = user/net/flows.c: dawn_flows_dirty() */
inline conn_dirty()
{
	atomic {
		swapped = 0;
		if
		:: !c_open[th] || !CLEAN(c_word[th])
		:: else ->
			if
			:: SWAP_WON(c_word[th]) ->
				become(WORD(USER, 0, th, mine));
				c_word[th] = owner;
				hold(REACTOR + th);
				swapped = 1
			:: else -> forget()
			fi
		fi
	}
	if
	:: swapped ->
		/* = user/net/flows.c: dawn_flows_set_unacked() */
		atomic {
			writes(REACTOR + th);
			e_resp = 0;
			unacked = 0;
			swapped = 0
		}
	:: else
	fi
}

/* The engine; a request in order is shown to its protocol.
 * = user/net/reactor_rx.c: input()
 * = user/net/tcp_input.c: dawn_tcp_would_progress() */
inline input()
{
	atomic {
		assert(seq <= c_rcv[th] && ack < c_rcv[th]);
		progress = (data && seq == c_rcv[th]) ||
			   (c_fin[th] && ack == FIN)
	}
	if
	:: progress -> conn_dirty()
	:: else
	fi;
	atomic {
		progress = 0;
		if
		:: c_open[th] ->
			if
			:: c_out[th] && ack == c_rcv[th] - 1 ->
				c_out[th] = 0;
				c_what[th] = 0;
				c_named[th] = 0
			:: else
			fi;
			progress = data && seq == c_rcv[th] && !c_out[th]
		:: else -> looks++	/* again */
		fi
	}
	if
	:: progress -> show_request(); progress = 0
	:: else
	fi
}

/* Here a request is executed.
 * = user/net/reactor_pump.c: show_once()
 * = user/net/reactor_pump.c: tell_eof()
 * = user/net/reactor_pump.c: op_cached() */
inline show_request()
{
	atomic {
		writes(REACTOR + th);
		assert(!ANSWER(t, seq));
		c_rcv[th]++;
		c_out[th] = 1;
		if
		:: seq == FIN -> c_what[th] = MADE_FIN; c_fin[th] = 1
		:: seq != FIN -> c_what[th] = MADE_BY_REACTOR
		:: seq != FIN && slot_live -> c_what[th] = slot_gen;
			c_named[th] = slot_gen
		fi;
		ANSWER(t, seq) = c_what[th]
	}
	/* = user/net/reactor_pump.c: dawn_conn_output() */
	atomic { to_peer(t, seq, c_what[th]) }
}

/* Back to the kernel half, if nothing is left or what is left can be named.
 * = user/net/reactor_conn.c: dawn_conn_give()
 * = user/net/reactor_conn.c: nameable() */
#define GIVE_DUE \
	(c_open[th] && !c_fin[th] && (!c_out[th] || (c_named[th] && \
	 slot_live && c_named[th] == slot_gen)))
inline conn_give()
{
	progress = GIVE_DUE;
	if
	:: progress ->
#ifndef BUG_WRITE_CLEAN
		conn_dirty();
#endif
		/* = user/net/reactor_conn.c: write_entry() */
		atomic {
			if
			:: c_open[th] ->
				writes(REACTOR + th);
				e_rcv = c_rcv[th];
				e_out = c_out[th];
				e_fin = 0;
				e_resp = c_named[th]
			:: else -> progress = 0
			fi
		}
	:: else
	fi;
#ifndef BUG_GIVE_NO_BIT
	if
	:: progress && c_named[th] ->
		unacked = 1;
		atomic {
			if
			:: !(slot_live && c_named[th] == slot_gen) ->
				unacked = 0;
				e_resp = 0;
				c_named[th] = 0;
				progress = 0
			:: else
			fi
		}
	:: else
	fi;
#endif
	if
	:: progress -> atomic {
		assert(SWAP_WON(c_word[th]));
		unhold(REACTOR + th);
		become(WORD(KERNEL, 0, 0, 0));
		forget();
		progress = 0 }
	:: else
	fi
}

/* The FIN is acknowledged.
 * = user/net/reactor_pump.c: settle_end()
 * = user/net/reactor_conn.c: dawn_conn_release() */
#define END_DUE (c_open[th] && c_fin[th] && !c_out[th])
inline settle_end()
{
	progress = END_DUE;
	if
	:: progress ->
		conn_dirty();
		atomic {
			progress = c_open[th];
			if
			:: c_open[th] -> s_word[th] = c_word[th]; forget()
			:: else
			fi
		}
		if
		:: progress -> free_flow(); progress = 0
		:: else
		fi
	:: else
	fi
}

/* Of a word that is ours and dirty, in s_word.
 * = user/net/flows.c: dawn_flows_free() */
inline free_flow()
{
	atomic { writes(REACTOR + th); unacked = 0; e_resp = 0 };
#ifndef BUG_TAG_AFTER_FREE
	atomic { writes(REACTOR + th); tag = 0 };
#endif
	atomic {
		assert(SWAP_WON(s_word[th]));
		unhold(REACTOR + th);
		become(WORD(FREE, 0, 0, 0));
		e_out = 0; e_fin = 0; e_rcv = 0; e_tuple = 0;
		s_word[th] = NONE
	}
#ifdef BUG_TAG_AFTER_FREE
	tag = 0
#endif
}

/* What a dead incarnation left, its word in s_word.
 * = user/net/flows.c: dawn_flows_bury() */
inline bury()
{
	atomic {
		claim = GONE;
		if
#ifdef BUG_NO_BURY
		:: true
#else
		:: SWAP_WON(s_word[th]) && CLEAN(s_word[th]) ->
			become(WORD(KERNEL, 0, 0, 0));
			s_word[th] = NONE
		:: SWAP_WON(s_word[th]) && !CLEAN(s_word[th]) ->
			become(WORD(USER, 0, th, mine));
			s_word[th] = owner;
			hold(REACTOR + th);
			claim = OURS
		:: else -> s_word[th] = NONE
#endif
		fi
	}
	if
	:: claim == OURS -> free_flow()
	:: else
	fi
}

/* = user/net/reactor_pass.c: dawn_pass_put() */
inline pass_on()
{
#if THREADS > 1
	atomic {
		if
		:: full(rx[THREAD(s_word[th])])
		:: nfull(rx[THREAD(s_word[th])]) ->
			rx[THREAD(s_word[th])]!t, seq, data, ack
		fi
	}
#endif
	skip
}

/* = user/net/reactor_rx.c: deliver()
 * = user/net/reactor_rx.c: dawn_reactor_frame() */
inline deliver()
{
	looks = 1;
	do
	:: looks == 0 || looks > LOOKS -> break
	/* = user/net/flows.c: dawn_flows_find() */
	:: looks && looks <= LOOKS && !(tag && e_tuple == t) -> break
	:: looks && looks <= LOOKS && tag && e_tuple == t ->
		claim_flow(t);
		if
		:: claim == GONE -> looks++
		:: claim == BUSY -> looks = 0
		:: claim == OTHER -> pass_on(); looks = 0
		:: claim == DEAD ->
#ifndef BUG_NO_RESET
			/* = user/net/reactor_rx.c: dawn_reactor_send_rst() */
			atomic { rst_to_peer(t) };
			bury();
#endif
			looks = 0
		:: claim == OURS || claim == TAKEN ->
			conn_for();
			if
			:: !c_open[th] -> looks++
			:: c_open[th] ->
				input();
				if
				:: c_open[th] -> looks = 0; pump()
				:: else
				fi
			fi
		fi
	od;
	atomic { s_word[th] = NONE; looks = 0; claim = 0; known = 0;
		 t = 0; seq = 0; data = 0; ack = 0 }
}

/* = user/net/reactor_pump.c: pump_one() */
inline pump()
{
	settle_end();
	conn_give()
}

/* The retransmission timer of a control block. With CLEAN, too: the bytes are
 * those of XDP.
 * = user/net/reactor_pump.c: dawn_conn_timer_fire() */
inline timer_fire()
{
	atomic {
		if
		:: c_open[th] && c_out[th] && owner != c_word[th] -> forget()
		:: c_open[th] && c_out[th] && owner == c_word[th] ->
			to_peer(c_tuple[th], c_rcv[th] - 1, c_what[th])
		:: else
		fi
	}
}

/* Have LOST_PACKET_MS gone by? Safety must not depend on it; progress does: by
 * then an XDP program is over, and the turn has looked at the ring. An RTO is
 * always over: nothing depends on that. */
#if defined(LIVE) && !defined(BUG_NO_LOST_WAIT)
#define LONG_AGO (!in_prog[0] && !in_prog[CPUS - 1] && len(rx[th]) == 0)
#else
#define LONG_AGO true
#endif

/* A response of XDP's that nobody acknowledged, past the RTO.
 * = user/net/reactor_sweep.c: scan_flow()
 * = user/net/flows.c: dawn_flows_each_unacked() */
inline scan_flow()
{
	atomic {
		s_word[th] = owner;
		claim = GONE;
		if
		:: !unacked
		:: unacked && (STATE(s_word[th]) == KERNEL ||
		   (STATE(s_word[th]) == USER && INC(s_word[th]) == mine &&
		    THREAD(s_word[th]) == th && !c_open[th])) -> claim = TAKE
		:: unacked && STATE(s_word[th]) == USER &&
		   INC(s_word[th]) != mine && CLEAN(s_word[th]) -> claim = DEAD
		:: else
		fi
	}
	if
	:: claim == TAKE -> take_silent()
	:: claim == DEAD -> bury()
	:: else
	fi;
	atomic { s_word[th] = NONE; claim = 0 }
}

/* A flow that nobody speaks for.
 * = user/net/reactor_sweep.c: take() */
inline take_silent()
{
	claim_flow(ANY);
	if
	:: atomic { claim == TAKEN ||
		    (claim == OURS && !c_open[th] && CLEAN(s_word[th])) ->
			claim = 0 };
		conn_for();
		timer_fire();
		pump()
	:: atomic { else -> s_word[th] = NONE; claim = 0 }
	fi
}

/* = user/net/reactor_sweep.c: sweep_flow()
 * = user/net/reactor_sweep.c: sweep_ours() */
inline sweep_flow()
{
	atomic {
		s_word[th] = owner;
		claim = GONE;
		if
		:: STATE(s_word[th]) == USER && INC(s_word[th]) == mine &&
		   THREAD(s_word[th]) == th && c_word[th] != s_word[th] ->
			/* "Never": a dirty flow without a control block. */
			assert(CLEAN(s_word[th]));
			claim = (unacked || !LONG_AGO -> GONE : TAKE)
		:: STATE(s_word[th]) == USER && INC(s_word[th]) != mine ->
			claim = DEAD
		:: else
		fi
	}
	if
	:: claim == TAKE -> give_as_is()
	:: claim == DEAD -> bury()
	:: else
	fi;
	atomic { s_word[th] = NONE; claim = 0 }
}

#ifdef LIVE
/* What a turn does, in its order. What has nothing to do takes no step, so
 * that an idle reactor is one state and not a dozen. */
#define RX_DUE    nempty(rx[th])
#define TIMER_DUE (c_open[th] && c_out[th])
#define SCAN_DUE \
	(unacked && (STATE(owner) == KERNEL || (STATE(owner) == USER && \
	 ((INC(owner) == mine && !c_open[th]) || \
	  (INC(owner) != mine && CLEAN(owner) && BURIES)))))
#define SWEEP_DUE \
	(STATE(owner) == USER && owner != c_word[th] && \
	 (INC(owner) == mine && !unacked || INC(owner) != mine && BURIES))
#define SOMETHING_DUE \
	(RX_DUE || TIMER_DUE || END_DUE || GIVE_DUE || SCAN_DUE || SWEEP_DUE \
	 || !fresh)
#ifdef BUG_NO_BURY
#define BURIES false
#else
#define BURIES true
#endif
#ifdef BUG_NO_BEAT
#define BEAT skip
#else
#define BEAT fresh = 1
#endif
#ifdef BUG_NO_TIMER
#undef TIMER_DUE
#define TIMER_DUE false
#endif
#ifdef BUG_NO_SCAN
#undef SCAN_DUE
#define SCAN_DUE false
#endif
#ifdef BUG_NO_SWEEP
#undef SWEEP_DUE
#define SWEEP_DUE false
#endif
#endif

/* = user/net/reactor.c: turn()
 * = user/net/reactor_rx.c: dawn_reactor_rx()
 * = user/net/reactor_sweep.c: dawn_reactor_sweep()
 * = user/net/reactor.c: heartbeat() */
proctype Reactor(byte th)
{
	byte t, seq, ack, claim, looks, tries, mine;
	bit data, known, swapped, progress;

start:	mine = incarnation;
	{
#ifdef LIVE
		do
		:: atomic {
			SOMETHING_DUE;	/* else it sleeps */
			if
			:: rx[th]?t, seq, data, ack
			:: empty(rx[th]) -> goto no_rx
			fi };
			deliver();
no_rx:			atomic {
			if
			:: TIMER_DUE
			:: else -> goto no_timer
			fi };
			timer_fire();
no_timer:		atomic {
			if
			:: END_DUE || GIVE_DUE
			:: else -> goto no_pump
			fi };
			pump();
no_pump:			atomic {
			if
			:: SCAN_DUE
			:: else -> goto no_scan
			fi };
			scan_flow();
no_scan:			atomic {
			if
			:: SWEEP_DUE
			:: else -> goto no_sweep
			fi };
			sweep_flow();
no_sweep:		atomic { BEAT }
		od
#else
end:		do
		:: atomic { rx[th]?t, seq, data, ack -> skip }; deliver()
		:: c_open[th] && c_out[th] -> timer_fire()
		:: c_open[th] && (!c_out[th] || c_named[th]) -> pump()
		:: unacked && (STATE(owner) == KERNEL || !c_open[th]) ->
			scan_flow()
		:: STATE(owner) == USER && owner != c_word[th] -> sweep_flow()
		:: !fresh -> fresh = 1
		od
#endif
	} unless { !living };
	atomic { t = 0; seq = 0; data = 0; ack = 0; claim = 0;
		 looks = 0; tries = 0; known = 0; swapped = 0;
		 progress = 0; mine = 0; parked[th] = 1 }
	living && !parked[th];
	goto start
}

/* --- what happens to the reactor ----------------------------------------- */

/* SIGKILL at any step, and a new process. What lies in the rings is lost.
 * = user/net/reactor.c: dawn_reactor_incarnation()
 * = user/net/reactor.c: make_socket() */
proctype Fate()
{
	byte th;

end:	do
	:: atomic { kills > 0 && living ->
		kills--;
		living = 0;
		killed = 1;
		bound = 0;
		/* Only XDP locks, and XDP always runs to its end. */
		assert(STATE(owner) != LOCKED || holder != 0);
		if
		:: holder >= REACTOR -> holder = 0
		:: else
		fi;
		do
		:: nempty(rx[0]) -> rx[0]?_, _, _, _
		:: nempty(rx[THREADS - 1]) -> rx[THREADS - 1]?_, _, _, _
		:: empty(rx[0]) && empty(rx[THREADS - 1]) -> break
		od;
		th = 0;
		do
		:: th < THREADS -> forget(); s_word[th] = NONE; th++
		:: else -> th = 0; break
		od }
	/* Restart: first the number, then the socket, then the heartbeat. */
	:: atomic { !living && parked[0] && parked[THREADS - 1] ->
		incarnation++ };
		bound = 1;
		atomic { fresh = 1; living = 1; parked[0] = 0;
			 parked[THREADS - 1] = 0 }
	/* 100 ms pass without a turn. */
	:: atomic { fresh && !living -> fresh = 0 }
	:: atomic { fresh && living && stalls > 0 -> stalls--; fresh = 0 }
	od
}

init
{
	atomic {
		run Peer(0);
#if TUPLES > 1
		run Peer(1);
#endif
		run Xdp(0);
#if CPUS > 1
		run Xdp(1);
#endif
		run Reactor(0);
#if THREADS > 1
		run Reactor(1);
#endif
		run Fate()
	}
}

#ifdef LIVE
/* No packet is unanswered forever, and no entry stays behind. */
ltl answered {
	<> (ALL_DONE && STATE(owner) == FREE && !tag && !unacked)
}
#endif
