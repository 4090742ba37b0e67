/* tail.h: what the parts of file-tail share. Everything here is called [serialised], but for the watching thread. */
#ifndef TAIL_H
#define TAIL_H

#include <pthread.h>
#include <stdatomic.h>

#include "busbar_sdk.h"

#define TAIL_FINGERPRINT 64       /* bytes before an offset that tell whether a file is still the same there */
#define TAIL_READ (256 * 1024)    /* bytes that are read at once */
#define TAIL_TURN (4 * TAIL_READ) /* bytes that a file may give before the next one has its turn */
#define TAIL_BUDGET (16 * TAIL_TURN) /* bytes that one poll reads at most, if that many have to be skipped */
#define TAIL_FILES_MAX 1600       /* a position with this many files always fits into BUSBAR_POSITION_MAX */
#define TAIL_OPEN_MAX 256         /* beyond it, a file that is where it belongs is opened only for its turn */
#define TAIL_MAX_LINE_LIMIT (64 * 1024 * 1024)
#define TAIL_NONE UINT32_MAX

typedef struct tail_settings {
  char **paths;
  uint32_t path_count;
  int once;
  int from_end;
  int attributes;
  uint64_t max_line;  /* bytes */
  int64_t rescan;     /* nanoseconds */
  int64_t grace;      /* nanoseconds */
} tail_settings_t;

/* One inode that is followed. Those of one path lie in the order in which they had it: the oldest first. */
typedef struct tail_file {
  uint64_t device, inode;
  uint64_t offset;      /* of the first byte that was not handed out */
  uint32_t fingerprint; /* of the bytes before `offset`; 0: not known */
  uint32_t home;        /* hash of the path it was first found under */
  char *path;           /* where it was found last; null: known from a position only */
  int fd;               /* -1: closed */
  uint8_t skipping;     /* `offset` lies in a line whose rest is not wanted */
  uint8_t idle;         /* read to its end; nothing to do until something changes */
  uint8_t matched;      /* by the last scan: TAIL_UNMATCHED … */
  uint8_t rotated;      /* no longer at home: renamed or deleted */
  uint8_t released;     /* its successor need not wait for it (any more) */
  uint8_t moved;        /* left its home, as the renames say that are gone through */
  uint8_t finishing;    /* at its end it is forgotten */
  uint8_t complained;   /* it could not be read, which was logged */
  char *alias;          /* another path of it, found by the scan that runs */
  int64_t rotated_at;   /* on tail_clock() */
  int64_t quiet_since;  /* when it last gave a line, or was rotated */
} tail_file_t;

#define TAIL_UNMATCHED 0
#define TAIL_MATCHED_ALIAS 1 /* under another path than `path` */
#define TAIL_MATCHED 2

#define TAIL_CHANGED_DATA 1u    /* some file may have grown */
#define TAIL_CHANGED_FOLDERS 2u /* files may have come, gone, or changed names */

/* A file whose name matched was renamed, so that a scan would not find it. */
typedef struct tail_move {
  char *from;
  char *to;
} tail_move_t;

typedef struct tail_folder {
  int watch; /* inotify's number */
  char *path;
} tail_folder_t;

typedef struct tail_watch {
  const busbar_context_t *context;
  const tail_settings_t *settings;
  _Atomic uint32_t changed; /* TAIL_CHANGED_*; the thread sets, poll takes */
  int inotify; /* -1: there is none, only the timer */
  int stop[2]; /* a pipe; its writing end is closed to end the thread */
  int running;
  int complained;
  pthread_t thread;
  pthread_mutex_t lock; /* for what follows */
  tail_folder_t *folders;
  uint32_t folder_count;
  tail_move_t *moves; /* oldest first */
  uint32_t move_count;
} tail_watch_t;

typedef struct tail {
  const busbar_context_t *context;
  tail_settings_t settings;
  tail_watch_t watch;
  tail_file_t *files;
  uint32_t count;
  uint32_t opened; /* files with a descriptor */
  uint32_t turn;     /* index of the file that is read */
  uint64_t turn_end; /* offset where its turn is over */
  int scanned;       /* since start */
  uint32_t hint;     /* where to begin looking in `files` */
  /* What was read of file `window_of`: `base` is the offset of buffer[0]. */
  uint8_t *buffer;
  size_t buffer_size, window_length;
  uint64_t window_base;
  uint32_t window_of;
  int window_fresh; /* read in this call of poll */
  int window_end;   /* reaches to the end of the file */
  int64_t budget;   /* bytes this call of poll may still read */
  char *attributes; /* of the file whose turn it is */
  uint32_t attributes_length;
  uint64_t truncated; /* lines, not reported yet */
  uint32_t opened_reported;
  char problem[512]; /* the first one of the last scan */
  uint32_t problem_count;
  uint8_t *saved; /* own position at stop */
  uint32_t saved_length;
  uint8_t *given; /* context->position at the last start */
  uint64_t given_length;
} tail_t;

/* settings.c: 1, or 0 with the error in the context. */
int tail_settings_read(tail_settings_t *settings, const busbar_context_t *context);
void tail_settings_free(tail_settings_t *settings);

/* position.c */
uint32_t tail_position_bound(const tail_t *t);
uint32_t tail_position_write(const tail_t *t, uint8_t *out); /* needs tail_position_bound() bytes; returns how many are used */
int tail_position_read(tail_t *t, const uint8_t *in, uint64_t length); /* 1, or 0 with the error in the context */

/* files.c */
int64_t tail_clock(void); /* nanoseconds, monotonic */
uint32_t tail_hash(const void *bytes, size_t length); /* never 0 */
void tail_scan(tail_t *t); /* finds what has come, gone, or changed names */
void tail_at_end(tail_t *t, tail_file_t *file); /* it was read to its end just now: sets released and finishing */
int tail_open(tail_t *t, tail_file_t *file); /* 1 when it is open; else it is closed and the reason is noted */
void tail_complain(tail_t *t, tail_file_t *file, const char *reason); /* it cannot be read: for health, and once for the log */
void tail_close(tail_t *t, tail_file_t *file);
tail_file_t *tail_add(tail_t *t, uint64_t device, uint64_t inode, uint32_t home); /* null: there is no room */
void tail_remove(tail_t *t, uint32_t index);
void tail_clear(tail_t *t);
__attribute__((format(printf, 3, 4))) void tail_log(const busbar_context_t *context, int32_t level, const char *format, ...);

/* lines.c: fills the batch. OK (there is more) or AGAIN (all files are at their ends). */
int32_t tail_read(tail_t *t, busbar_batch_t *batch);

/* watch.c */
int tail_watch_start(tail_watch_t *watch, const busbar_context_t *context, const tail_settings_t *settings); /* 0 or an errno */
void tail_watch_stop(tail_watch_t *watch);
void tail_watch_folder(tail_watch_t *watch, const char *path);
void tail_watch_file(tail_watch_t *watch, int fd);
uint32_t tail_watch_take(tail_watch_t *watch); /* TAIL_CHANGED_* since the last time */
/* The renames until now that were not asked for yet, and their number. OWNERSHIP: all of it is the caller's, to free(). */
uint32_t tail_watch_moves(tail_watch_t *watch, tail_move_t **moves);

#endif
