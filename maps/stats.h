/* SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0 */
/* stats: what XDP did, a per-CPU array of one struct; reactor_stats: what the
 * reactor did, an mmap-able array of one struct a thread.
 *
 * Writer: XDP, or the thread; nobody else, and never reset. Readers: bpftool,
 * `dawn stats`, exporters: sum over CPUs or threads.
 *
 * Each counter counts packets unless its comment says otherwise. A packet that
 * ends as PUNT, PASS or DROP counts once in that total and once in a reason.
 * The lists are X-macros: struct, names and docs cannot drift apart.
 */
#ifndef DAWN_MAPS_STATS_H
#define DAWN_MAPS_STATS_H

#include "abi.h"

/* X(name, text): answers XDP gave and what it did with flows */
#define DAWN_STATS_ANSWERS(X)                                              \
	X(icmp_echo, "ICMP echo requests answered")                        \
	X(icmp6_echo, "ICMPv6 echo requests answered")                     \
	X(hbtp_pong, "HBTP Pings answered")                                \
	X(syn_cookie, "SYN-ACKs with a cookie sent")                       \
	X(flow_new, "flow entries made (cookie proven)")                   \
	X(flow_closed, "flows closed in XDP (FIN acknowledged or RST)")    \
	X(time_wait_reused, "flows made anew out of TIME_WAIT (RFC 6191)") \
	X(flow_evicted, "flows that lost their place to newer ones")       \
	X(evict_untold, "of them, those whose RST waits till they speak")  \
	X(flow_deferred, "full sets: no entry before there are data")      \
	X(http_hit, "requests answered from the cache")                    \
	X(http_hit_segments, "segments sent for them")                     \
	X(memo_hit, "of the requests: known byte by byte, not parsed")     \
	X(http_304, "of the requests: answered with 304 (Not Modified)")   \
	X(http_resend, "responses sent again by XDP, no reactor alive")    \
	X(ack_seen, "ACKs of kernel-owned flows taken in")                 \
	X(fin_acked, "FINs of kernel-owned flows answered")                \
	X(acked_again, "ACKs sent again: old data, FIN, probe")            \
	X(challenge_ack, "challenge ACKs sent (RFC 5961)")                 \
	X(rst_sent, "RSTs sent")                                           \
	X(cookie_bad, "ACKs of no flow that prove no cookie")              \
	X(cookie_replayed, "ACKs whose cookie has made a flow before")     \
	X(cookie_refused, "ACKs of cookies that may have been used")       \
	X(cookie_forgotten, "used cookies forgotten before they expire")   \
	X(stale_incarnation, "flows of a dead reactor, reset")             \
	X(to_user, "flows given to the reactor")                           \
	X(reclaimed, "flows taken back from a reactor that went silent")   \
	X(csum_partial,                                                    \
	  "segments with only the pseudo-header summed, accepted")         \
	X(tx_total, "packets answered, frames cloned for it not counted")

/* X(name, text): reasons for XDP_PASS */
#define DAWN_STATS_PASS(X)                                                  \
	X(pass_total, "packets passed to the kernel's stack")               \
	X(pass_ethertype, "neither IPv4 nor IPv6")                          \
	X(pass_malformed, "headers truncated or lying below TCP")           \
	X(pass_no_service, "not for a configured service")                  \
	X(pass_icmp_other, "ICMP other than an echo request")               \
	X(pass_echo_unsuitable, "echo request with options or as fragment") \
	X(pass_hbtp_other, "HBTP datagram that is not one Ping")            \
	X(pass_udp_bad, "UDP datagram whose length or checksum lies")       \
	X(pass_tcp_off, "TCP service, but no secret is configured")

/* X(name, text): reasons for a redirect to the reactor */
#define DAWN_STATS_PUNT(X)                                                   \
	X(punt_total, "packets given to the reactor")                        \
	X(user_owned, "flow is the reactor's")                               \
	X(lock_lost, "flow or set locked by another CPU")                    \
	X(ip_options, "IPv4 options")                                        \
	X(ext_headers, "IPv6 extension headers")                             \
	X(icmp_error, "ICMP error that quotes a flow")                       \
	X(tcp_options, "TCP options other than timestamps")                  \
	X(tcp_flags, "flags that XDP leaves to the reactor")                 \
	X(tcp_sack, "SACK blocks")                                           \
	X(tcp_out_of_order, "not the next sequence number")                  \
	X(tcp_dup_ack, "duplicate ACK")                                      \
	X(tcp_ack_range, "ACK outside what was sent")                        \
	X(tcp_paws, "timestamp older than the last one")                     \
	X(tcp_unacked, "request while a response is not acknowledged")       \
	X(tcp_window, "response does not fit the peer's window or cwnd")     \
	X(tcp_fin_data, "FIN with data, or while a response is outstanding") \
	X(tcp_ce, "congestion experienced (ECN)")                            \
	X(http_incomplete, "no whole request in the segment")                \
	X(http_method, "neither GET nor HEAD")                               \
	X(http_version, "not HTTP/1.1")                                      \
	X(http_target, "request target too long or not in origin form")      \
	X(http_header, "header field not on the list")                       \
	X(http_value, "header field value left to the reactor")              \
	X(http_condition, "precondition that XDP cannot say yes to")         \
	X(http_host, "Host missing, twice, malformed or unknown")            \
	X(http_pipelined, "bytes behind the request")                        \
	X(cache_miss, "not in the index")                                    \
	X(cache_key_differs, "index hit, but another key (a collision)")     \
	X(cache_expired, "entry past its time")                              \
	X(cache_varies, "entry varies by Accept-Encoding, request has it")   \
	X(cache_gone, "slot reused while looked at")                         \
	X(segments_many, "response larger than ten segments here")           \
	X(segment_budget, "too many segments in this poll already")          \
	X(no_room, "frame cannot be grown, clones not available")

/* X(name, text): reasons for XDP_DROP */
#define DAWN_STATS_DROP(X)                                                 \
	X(drop_total, "packets dropped")                                   \
	X(access_deny, "denied by the access list")                        \
	X(frag_drop, "TCP fragment to a service")                          \
	X(csum_bad, "TCP checksum wrong")                                  \
	X(tcp_malformed, "TCP header truncated or lying")                  \
	X(tcp_illegal, "flags no connection has (SYN+FIN, none, ...)")     \
	X(no_socket, "should go to the reactor, none is alive")            \
	X(queue_full, "reactor's backlog above half")                      \
	X(rst_unproven, "RST outside what RFC 5961 accepts")               \
	X(flow_full, "both sets full of flows that cannot be evicted now") \
	X(old_ack, "ACK or segment wholly in the past")                    \
	X(rate_limited, "no RST or challenge ACK: budget used up")         \
	X(cookie_ahead, "data ahead of the segment that proves a cookie")  \
	X(draining, "SYN while the daemon drains")                         \
	X(orphan_stop, "reactor silent longer than orphan_ttl")            \
	X(oversize, "larger than a UMEM frame")                            \
	X(xmit_failed, "segment not made: its slot changed at egress")     \
	X(map_missing, "a map lookup that cannot fail failed")

#define DAWN_STATS_ALL(X)     \
	DAWN_STATS_ANSWERS(X) \
	DAWN_STATS_PASS(X) DAWN_STATS_PUNT(X) DAWN_STATS_DROP(X)

struct dawn_stats {
#define X(name, text) __u64 name;
	DAWN_STATS_ALL(X)
#undef X
};

/* X(name, text): the reactor's own */
#define DAWN_REACTOR_STATS(X)                                             \
	X(to_kernel, "flows handed back to the kernel half")              \
	X(flow_taken,                                                     \
	  "flows taken from the kernel half by a timer or lost lock")     \
	X(kernel_retransmit, "kernel-sent responses retransmitted")       \
	X(rx_frames, "frames received from AF_XDP")                       \
	X(tx_frames, "frames sent through AF_XDP")                        \
	X(rx_bad, "frames dropped: not ours, malformed, checksum")        \
	X(rx_overtaken, "old ACKs dropped: their flow went on in XDP")    \
	X(rx_doubtful, "segments of doubtful peers that were too many")   \
	X(tx_full, "times the tx ring was full")                          \
	X(passed_thread, "frames passed to another thread")               \
	X(pass_full, "frames dropped: that thread's ring was full")       \
	X(tcp_retransmit, "segments retransmitted")                       \
	X(tcp_rto, "retransmission timeouts")                             \
	X(tcp_fast_retransmit, "loss recoveries without a timeout")       \
	X(tcp_rack_lost, "segments found lost by RACK")                   \
	X(tcp_tlp, "tail loss probes sent")                               \
	X(tcp_spurious, "loss recoveries undone: nothing was lost")       \
	X(tcp_ooo, "segments received out of order")                      \
	X(tcp_rst_sent, "RSTs sent")                                      \
	X(tcp_keepalive, "keep-alive probes sent")                        \
	X(tcp_gave_up, "connections whose peers answered no more, reset") \
	X(tcp_rst_received, "connections reset by the peer")              \
	X(tcp_challenge_ack, "challenge ACKs sent")                       \
	X(conn_open, "control blocks made")                               \
	X(conn_closed, "control blocks released")                         \
	X(conn_share, "no memory: their source had its share")            \
	X(evicted_closing, "connections evicted: only their end was due") \
	X(evicted_window, "connections evicted: window closed")           \
	X(evicted_reader, "connections evicted: slow to acknowledge")     \
	X(evicted_writer, "connections evicted: slow to send")            \
	X(rings_grown, "buffers of connections doubled")                  \
	X(rings_refused, "buffers not doubled: the cap")                  \
	X(time_wait, "TIME_WAITs left to the flow entry")                 \
	X(flow_freed, "flow entries freed by the reactor")                \
	X(rx_refused, "segments left unread: no memory, none that waits") \
	X(conn_refused, "requests refused: no memory, no place to wait")  \
	X(conn_wait, "requests that waited for memory")                   \
	X(conn_called, "of them: served when there was some")             \
	X(http_requests,                                                  \
	  "requests answered by the reactor, kernel TCP included")        \
	X(http_errors, "of them with status 400 or above")                \
	X(promoted, "responses put into the kernel cache")                \
	X(promote_failed, "promotions that found no slot")                \
	X(demoted, "entries removed: file changed, purge, expiry")        \
	X(evicted_entries, "entries removed for files asked for more")    \
	X(icmp_errors, "ICMP errors taken in")                            \
	X(hbtp_messages, "HBTP messages handled by the reactor")

/* Lines of its own for each thread, and room, so that a new counter does not
 * change the map. */
#define DAWN_REACTOR_STATS_MAX 64

struct dawn_reactor_stats {
#define X(name, text) __u64 name;
	DAWN_REACTOR_STATS(X)
#undef X
#define X(name, text) -1
	__u64 pad[DAWN_REACTOR_STATS_MAX DAWN_REACTOR_STATS(X)];
#undef X
};
_Static_assert(sizeof(struct dawn_reactor_stats) == 8 * DAWN_REACTOR_STATS_MAX,
	       "reactor_stats is ABI");

#endif
