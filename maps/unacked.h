/* SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0 */
/* unacked: a bit for each flow_table entry (set * 8 + way) whose kernel-sent
 * data or FIN the peer has not acknowledged.
 *
 * Writer: XDP, and the reactor when it takes or hands back such a flow; always
 * by an atomic or/and of the whole word, and only if the bit changes. Reader:
 * the reactor's timer, which takes the flows past their RTO.
 * Memory: one bit a flow.
 */
#ifndef DAWN_MAPS_UNACKED_H
#define DAWN_MAPS_UNACKED_H

#include "flow_table.h"

#define DAWN_UNACKED_WORDS(sets) ((sets)*DAWN_FLOW_WAYS / 64)

#endif
