/* SPDX-License-Identifier: BSD-3-Clause
 * query_face.h - questions about a face
 *
 * Each takes the words after its name and answers, or says what is wrong with them: see query.h.
 *
 * Any thread.
 */
#ifndef VNICD_QUERY_FACE_H
#define VNICD_QUERY_FACE_H

#include "answer.h"
#include "words.h"

struct vnicd;

void query_receive(struct vnicd *d, struct words *w, struct answer *a);
void query_share(struct vnicd *d, struct words *w, struct answer *a);
void query_peer(struct vnicd *d, struct words *w, struct answer *a);
void query_ids(struct vnicd *d, struct words *w, struct answer *a);
void query_id(struct vnicd *d, struct words *w, struct answer *a);

#endif
