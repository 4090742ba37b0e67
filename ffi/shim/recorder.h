/* The flight recorder: one memory file for each cell, made by the host and mapped by both. The host reads it while the cell
 * lives and after it died. Private between host and cell of one build: ffi/recorder_layout.ts is its other half.
 * Plain stores by a single writer, except where a comment says atomic. SPDX-License-Identifier: Apache-2.0 */
#ifndef BB_RECORDER_H
#define BB_RECORDER_H
#include <stdint.h>

#define BB_MAGIC 0x42555342u
#define BB_HEADER_SIZE 4096u
#define BB_LIBRARY_MAX 256u
#define BB_METRIC_MAX 512u
#define BB_LOG_SLOTS 512u
#define BB_METRIC_BUCKETS 64 /* bucket b counts values in [2^(b-33), 2^(b-32)) */

#define BB_COUNTER 1u
#define BB_GAUGE 2u
#define BB_HISTOGRAM 3u

#define BB_CRASH_NONE 0u
#define BB_CRASH_WRITING 1u
#define BB_CRASH_SIGNAL 2u
#define BB_CRASH_EXIT 3u

struct bb_header {
  uint32_t magic;           /* the host's, like all up to log_at */
  uint32_t component_count;
  uint32_t source_count;
  uint32_t reserved0;
  uint64_t size;
  uint64_t components_at;   /* byte offsets from the header */
  uint64_t sources_at;
  uint64_t libraries_at;
  uint64_t metrics_at;
  uint64_t log_at;
  uint64_t heartbeat;       /* turns of the cell's event loop */
  uint64_t log_head;        /* atomic, producers' */
  uint64_t log_tail;        /* the host's */
  uint64_t log_dropped;     /* atomic */
  uint64_t metric_dropped;  /* atomic */
  uint32_t library_count;
  uint32_t clean_exit;      /* the cell is about to end because it was told to */
  uint32_t crash_state;     /* atomic: BB_CRASH_*; the first thread to crash wins */
  int32_t crash_signal;
  int32_t crash_code;       /* siginfo's si_code; sent by a process when <= 0 */
  uint32_t crash_thread;
  uint32_t crash_sender;    /* pid that sent the signal */
  uint32_t crash_library;   /* 1 + index of the plugin library it happened in; 0: none */
  uint32_t crash_by_stack;  /* 1: not at the faulting instruction, but the nearest caller on the stack */
  uint32_t crash_component; /* 1 + index of the component in whose call the thread was; 0: a thread of a plugin's own, or none */
  uint64_t crash_address;
  uint64_t crash_pc;
  uint32_t messages; /* the host's: how many it has sent; a busy cell looks here whether to listen */
  uint32_t reserved1;
};

struct bb_component {
  uint64_t calls; /* odd while inside a call */
  uint32_t call;  /* BB_CALL_*: the present or last one; 65536 times the source of the first event it was given */
  int32_t status; /* what it returned */
  uint64_t sequence; /* of the first event it was given, or of the next it was asked for */
  uint64_t events_in;
  uint64_t events_out;
  uint64_t bytes_in;
  uint64_t bytes_out;
  uint64_t errors;   /* FAILED, INVALID and FATAL */
  uint64_t dropped;  /* events given up */
  uint64_t retries;
  uint32_t health;   /* 0 unknown, 1 well, 2 not well, 3 did not answer; the cell's */
  uint32_t state;    /* the cell's: created, started, … */
  uint32_t queued;   /* batches waiting before it */
  uint32_t pending;  /* batches it has not completed */
  uint64_t buffer_bytes;   /* a source's buffer on disk: what it holds; the cell's, like all below */
  uint64_t buffer_events;
  uint64_t buffer_dropped; /* events given up since there was no room */
  uint64_t buffer_corrupt; /* events lost in rows that were damaged */
};

struct bb_source_state {
  uint32_t turn; /* odd while written */
  uint32_t position_length;
  uint64_t acknowledged; /* every event up to this sequence is finished everywhere */
  uint64_t polled;       /* the host's: events up to this one may have been handed out by the process before */
  uint8_t position[65536];
};

struct bb_library {
  uint64_t start;
  uint64_t end;
  char path[240]; /* NUL-terminated, cut at the front */
};

struct bb_metric {
  uint32_t state;     /* atomic: 0 free, 1 being named, 2 in use */
  uint32_t kind;      /* BB_COUNTER, BB_GAUGE, BB_HISTOGRAM */
  uint32_t component; /* 1 + index; 0: the plugin as a whole */
  uint32_t name_length;
  char name[64];
  uint64_t count;     /* counter's value, histogram's observations; atomic */
  uint64_t value;     /* bits of a double: gauge's value, histogram's sum; atomic */
  uint64_t buckets[BB_METRIC_BUCKETS];
};

/* A bounded queue of many producers and one consumer (after D. Vyukov), with turns counted from 0 in every slot. */
struct bb_log {
  uint64_t turn; /* atomic: lap * BB_LOG_SLOTS when free, + 1 when full */
  int64_t timestamp;
  uint64_t span_id;
  uint64_t parent_span_id;
  int32_t level;
  uint32_t component; /* 1 + index; 0: the cell itself */
  uint32_t target_length;
  uint32_t message_length;
  uint32_t field_count;
  uint32_t thread;
  uint32_t truncated; /* 1: message cut or fields left out */
  uint32_t reserved0;
  uint8_t data[1984]; /* target, message, then for each field: name length, value length, type (uint32 each), name, value */
};
#endif
