/* The thread that notices changes: from inotify where the system has it, and from a timer everywhere, since inotify says
 * nothing about what other machines do to a network file system, and its queue can overflow. It only sets flags and wakes. */
#define _GNU_SOURCE
#include "tail.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/inotify.h>
#endif

/* Between two looks: a busy writer causes some hundred wakes a second, not millions, and a busy folder some fifty scans. */
#define PAUSE_MS 2
#define FOLDER_PAUSE_MS 20

static void notify(tail_watch_t *watch, uint32_t changed) {
  if (changed == 0) return;
  if (atomic_fetch_or(&watch->changed, changed) == 0) watch->context->host->wake(watch->context);
}

uint32_t tail_watch_take(tail_watch_t *watch) { return atomic_exchange(&watch->changed, 0); }

#ifdef __linux__

#define FOLDER_EVENTS (IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)

#define MOVES_MAX 1024

/* OWNERSHIP: the caller's. Null when the folder is not known or memory ends. */
static char *path_of(tail_watch_t *watch, const struct inotify_event *event) {
  char *path = NULL;
  uint32_t i;
  for (i = 0; i < watch->folder_count; i++) {
    const char *folder = watch->folders[i].path;
    if (watch->folders[i].watch != event->wd) continue;
    if (strcmp(folder, ".") == 0) return strdup(event->name);
    return asprintf(&path, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, event->name) < 0 ? NULL : path;
  }
  return NULL;
}

static int matches(const tail_settings_t *settings, const char *path) {
  uint32_t i;
  for (i = 0; i < settings->path_count; i++)
    if (strcmp(settings->paths[i], path) == 0 || fnmatch(settings->paths[i], path, FNM_PATHNAME | FNM_PERIOD) == 0) return 1;
  return 0;
}

/* Takes both paths. */
static void note_move(tail_watch_t *watch, char *from, char *to) {
  tail_move_t *grown;
  uint32_t i;
  for (i = 0; i < watch->move_count; i++) { /* renamed once more */
    if (strcmp(watch->moves[i].to, from) != 0) continue;
    free(watch->moves[i].to);
    watch->moves[i].to = to;
    free(from);
    return;
  }
  grown = watch->move_count < MOVES_MAX && matches(watch->settings, from)
              ? (tail_move_t *)realloc(watch->moves, (watch->move_count + 1) * sizeof *grown)
              : NULL;
  if (grown == NULL) {
    free(from);
    free(to);
    return;
  }
  watch->moves = grown;
  grown[watch->move_count].from = from;
  grown[watch->move_count++].to = to;
}

/* Empties inotify's queue. Caller holds the lock. */
static uint32_t read_events(tail_watch_t *watch) {
  _Alignas(struct inotify_event) char buffer[16384];
  uint32_t changed = 0, cookie = 0;
  char *from = NULL; /* first half of a rename; the second follows right after it */
  ssize_t length;
  while ((length = read(watch->inotify, buffer, sizeof buffer)) > 0) {
    const char *at = buffer;
    while (at < buffer + length) {
      const struct inotify_event *event = (const struct inotify_event *)(const void *)at;
      changed |= event->mask == IN_MODIFY ? TAIL_CHANGED_DATA : TAIL_CHANGED_DATA | TAIL_CHANGED_FOLDERS;
      if (event->len > 0 && (event->mask & IN_MOVED_FROM)) {
        free(from);
        from = path_of(watch, event);
        cookie = event->cookie;
      } else if (event->len > 0 && (event->mask & IN_MOVED_TO) && from != NULL && event->cookie == cookie) {
        char *to = path_of(watch, event);
        if (to != NULL) note_move(watch, from, to);
        else free(from);
        from = NULL;
      }
      at += sizeof *event + event->len;
    }
    if ((size_t)length < sizeof buffer / 2 && from == NULL) break;
  }
  free(from);
  return changed;
}

static int new_inotify(void) { return inotify_init1(IN_NONBLOCK | IN_CLOEXEC); }

static int add(tail_watch_t *watch, const char *path, uint32_t events) {
  int number;
  if (watch->inotify < 0) return -1;
  number = inotify_add_watch(watch->inotify, path, events);
  if (number >= 0 || errno == ENOENT || errno == ENOTDIR || errno == EACCES || watch->complained) return number;
  watch->complained = 1;
  tail_log(watch->context, BUSBAR_LOG_WARNING, "Cannot watch \"%s\": %s; changes are found by rescan only", path, strerror(errno));
  return -1;
}

void tail_watch_folder(tail_watch_t *watch, const char *path) {
  tail_folder_t *grown;
  uint32_t i;
  int number;
  if (!watch->running) return;
  pthread_mutex_lock(&watch->lock);
  number = add(watch, path, FOLDER_EVENTS | IN_ONLYDIR);
  for (i = 0; i < watch->folder_count && watch->folders[i].watch != number; i++) {
  }
  if (number >= 0 && i == watch->folder_count) {
    grown = (tail_folder_t *)realloc(watch->folders, (i + 1) * sizeof *grown);
    if (grown != NULL) {
      watch->folders = grown;
      grown[i].watch = number;
      grown[i].path = strdup(path);
      watch->folder_count += grown[i].path != NULL;
    }
  }
  pthread_mutex_unlock(&watch->lock);
}

/* For a file that is reached through a link: its changes are told to the folder where it lies. */
void tail_watch_file(tail_watch_t *watch, int fd) {
  char path[40];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  add(watch, path, IN_MODIFY);
}

#else

static uint32_t read_events(tail_watch_t *watch) {
  (void)watch;
  return 0;
}
static int new_inotify(void) { return -1; }
void tail_watch_folder(tail_watch_t *watch, const char *path) { (void)watch, (void)path; }
void tail_watch_file(tail_watch_t *watch, int fd) { (void)watch, (void)fd; }

#endif

uint32_t tail_watch_moves(tail_watch_t *watch, tail_move_t **moves) {
  uint32_t count;
  pthread_mutex_lock(&watch->lock);
  notify(watch, read_events(watch));
  *moves = watch->moves;
  count = watch->move_count;
  watch->moves = NULL;
  watch->move_count = 0;
  pthread_mutex_unlock(&watch->lock);
  return count;
}

static void *run(void *argument) {
  tail_watch_t *watch = (tail_watch_t *)argument;
  struct pollfd waits[2] = {{watch->stop[0], POLLIN, 0}, {watch->inotify, POLLIN, 0}};
  int64_t rescan = watch->settings->rescan, due = tail_clock() + rescan;
  for (;;) {
    int64_t left = due - tail_clock();
    uint32_t changed = 0;
    int ready = poll(waits, 2, left <= 0 ? 0 : (int)((left + 999999) / 1000000)); /* a descriptor of -1 is ignored */
    if (ready < 0 && errno != EINTR) return NULL;
    if (ready > 0 && waits[0].revents != 0) return NULL;
    if (ready > 0) {
      pthread_mutex_lock(&watch->lock);
      changed = read_events(watch);
      pthread_mutex_unlock(&watch->lock);
    }
    if (tail_clock() >= due) {
      changed = TAIL_CHANGED_DATA | TAIL_CHANGED_FOLDERS;
      due = tail_clock() + rescan;
    }
    notify(watch, changed);
    if (changed != 0 && poll(waits, 1, changed & TAIL_CHANGED_FOLDERS ? FOLDER_PAUSE_MS : PAUSE_MS) > 0) return NULL;
  }
}

int tail_watch_start(tail_watch_t *watch, const busbar_context_t *context, const tail_settings_t *settings) {
  sigset_t all, before;
  int error;
  watch->context = context;
  watch->settings = settings;
  watch->inotify = -1;
  watch->complained = 0;
  atomic_store(&watch->changed, 0);
  if (pipe(watch->stop) != 0) return errno;
  fcntl(watch->stop[0], F_SETFD, FD_CLOEXEC);
  fcntl(watch->stop[1], F_SETFD, FD_CLOEXEC);
  watch->inotify = new_inotify();
  if (watch->inotify < 0)
    tail_log(context, BUSBAR_LOG_WARNING, "Cannot watch folders: %s; changes are found by rescan only", strerror(errno));
  /* The process's signals are for its own threads; faults stay, so that the host's handler can tell whose they are. */
  sigfillset(&all);
  sigdelset(&all, SIGSEGV);
  sigdelset(&all, SIGBUS);
  sigdelset(&all, SIGFPE);
  sigdelset(&all, SIGILL);
  sigdelset(&all, SIGABRT);
  sigdelset(&all, SIGTRAP);
  sigdelset(&all, SIGSYS);
  pthread_mutex_init(&watch->lock, NULL);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  error = pthread_create(&watch->thread, NULL, run, watch);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  watch->running = 1;
  if (error == 0) return 0;
  watch->running = 0;
  pthread_mutex_destroy(&watch->lock);
  if (watch->inotify >= 0) close(watch->inotify);
  close(watch->stop[0]);
  close(watch->stop[1]);
  return error;
}

void tail_watch_stop(tail_watch_t *watch) {
  tail_move_t *moves;
  uint32_t i, count;
  if (!watch->running) return;
  close(watch->stop[1]);
  pthread_join(watch->thread, NULL);
  close(watch->stop[0]);
  if (watch->inotify >= 0) close(watch->inotify);
  watch->inotify = -1;
  watch->running = 0;
  count = tail_watch_moves(watch, &moves);
  for (i = 0; i < count; i++) {
    free(moves[i].from);
    free(moves[i].to);
  }
  free(moves);
  for (i = 0; i < watch->folder_count; i++) free(watch->folders[i].path);
  free(watch->folders);
  watch->folders = NULL;
  watch->folder_count = 0;
  pthread_mutex_destroy(&watch->lock);
}
