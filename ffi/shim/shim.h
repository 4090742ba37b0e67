/* What shim and cell share inside one process: ffi/recorder_layout.ts is its other half. SPDX-License-Identifier: Apache-2.0 */
#ifndef BB_SHIM_H
#define BB_SHIM_H
#include "busbar.h"
#include "recorder.h"

#define BB_CALL_CREATE 1u
#define BB_CALL_RESTORE 2u
#define BB_CALL_START 3u
#define BB_CALL_STOP 4u
#define BB_CALL_SAVE 5u
#define BB_CALL_DESTROY 6u
#define BB_CALL_HEALTH 7u
#define BB_CALL_POLL 8u
#define BB_CALL_COMMIT 9u
#define BB_CALL_RELEASE 10u
#define BB_CALL_PROCESS 11u
#define BB_CALL_TICK 12u
#define BB_CALL_WRITE 13u
#define BB_CALL_FLUSH 14u
#define BB_CALL_FETCH 15u
#define BB_CALL_EXECUTE 16u
#define BB_CALL_BEFORE_REQUEST 17u
#define BB_CALL_HANDLE 18u
#define BB_CALL_AFTER_RESPONSE 19u

/* More than the batches that can be pending in one cell: the cell offers no more writes than this. */
#define BB_COMPLETIONS 512u

/* One component's instance. */
struct bb_slot {
  const void *table;
  void *self;
  struct bb_component *record;
  uint32_t index;
  uint32_t woken;   /* atomic: asked for a call since the cell last looked */
  uint64_t next_id; /* the last batch id that was given out */
  busbar_context_t context;
};

#define BB_LINE_DONE 0x7fffffff
#define BB_LINE_STAGES 8u
#define BB_LINE_TURNS 8

/* A source and what follows it, where each is native, does not block, and reads only from the one before. */
struct bb_line {
  struct bb_slot *source;
  busbar_batch_t *batch; /* the source's */
  uint64_t stage_count;
  struct {
    struct bb_slot *slot;
    busbar_batch_t *out; /* null for a reaction, which comes last */
  } stages[BB_LINE_STAGES];
  uint64_t moved; /* sequence of the last event that went all the way in this run; 0: none did */
  uint64_t position_length;
  uint8_t position[256]; /* and the position after it */
};

struct bb_completion {
  uint64_t turn;
  uint64_t batch_id;
  uint32_t component; /* 1 + index */
  int32_t status;
  uint32_t done;
  uint32_t message_length;
  char message[216];
  uint64_t reserved0;
};

struct bb_shared {
  volatile int32_t log_level;
  uint32_t sleeping; /* atomic: 1 while nobody would notice a wake without being interrupted */
  uint64_t completion_head;
  struct bb_completion completions[BB_COMPLETIONS];
};
#endif
