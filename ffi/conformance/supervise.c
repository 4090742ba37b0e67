/* Runs each check in a child process, and says how that ended. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "conformance.h"

#define MEMORY_CHECKER_EXIT 99 /* what Valgrind and AddressSanitizer are told to end with */

run_t run;

/* ---- What a check says -------------------------------------------------------------------------------------------- */

static _Noreturn void end_with(int verdict, const char *format, va_list arguments) {
  vsnprintf(run.shared->message, sizeof run.shared->message, format, arguments);
  run.shared->verdict = verdict;
  _exit(0);
}

void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  end_with(VERDICT_FAIL, format, arguments);
}

void not_applicable(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  end_with(VERDICT_NOT_APPLICABLE, format, arguments);
}

void note(const char *format, ...) {
  va_list arguments;
  if (run.shared->note_count == NOTES_MAX) return;
  va_start(arguments, format);
  vsnprintf(run.shared->notes[run.shared->note_count++], LINE_MAX_BYTES, format, arguments);
  va_end(arguments);
}

void fault(enum fault sort, const char *format, ...) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  va_list arguments;
  pthread_mutex_lock(&lock);
  if (run.faults[sort][0] == 0) {
    va_start(arguments, format);
    vsnprintf(run.faults[sort], LINE_MAX_BYTES, format, arguments);
    va_end(arguments);
  }
  pthread_mutex_unlock(&lock);
}

void fail_on(enum fault sort) {
  if (run.faults[sort][0] != 0) fail("%s", run.faults[sort]);
}

uint64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void set_up_random(uint64_t seed) { run.random = seed * 0x9e3779b97f4a7c15u + 1; }

/* splitmix64 */
uint64_t next_random(void) {
  uint64_t z = run.random += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

/* ---- The child ---------------------------------------------------------------------------------------------------- */

static void note_exit(int code, void *unused) {
  (void)unused;
  run.shared->exit_code = code;
  run.shared->exited = 1;
}

static _Noreturn void child(const check_t *check) {
  if (run.plan.memory_mb > 0) {
    struct rlimit limit = {(rlim_t)run.plan.memory_mb << 20, (rlim_t)run.plan.memory_mb << 20};
    setrlimit(RLIMIT_AS, &limit);
  }
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  set_up_random(run.plan.seed);
  on_exit(note_exit, NULL);
  if ((check->kinds & KIND(run.plan.kind)) == 0) not_applicable("It is a check of other kinds of components");
  check->function();
  run.shared->verdict = VERDICT_PASS;
  _exit(0);
}

/* ---- The supervisor ----------------------------------------------------------------------------------------------- */

static const char *signal_name(int number) {
  static char text[16];
  const char *name = sigabbrev_np(number);
  snprintf(text, sizeof text, "SIG%s", name == NULL ? "?" : name);
  return text;
}

void write_json_string(FILE *file, const char *text) {
  fputc('"', file);
  for (const unsigned char *at = (const unsigned char *)text; *at != 0; at++) {
    if (*at == '"' || *at == '\\') fprintf(file, "\\%c", *at);
    else if (*at < 0x20 || *at >= 0x7f) fprintf(file, "\\u%04x", *at);
    else fputc(*at, file);
  }
  fputc('"', file);
}

static void write_result(FILE *file, const check_t *check, const char *signal, double milliseconds) {
  static const char *const VERDICTS[] = {"fail", "pass", "fail", "not_applicable"};
  const shared_t *s = run.shared;
  uint32_t logs = s->log_count, first = logs > LOGS_MAX ? logs - LOGS_MAX : 0;
  fprintf(file, "{\"check\":\"%s\",\"status\":\"%s\",\"message\":", check->name, VERDICTS[s->verdict]);
  write_json_string(file, s->message);
  fprintf(file, ",\"ms\":%.1f,\"call\":\"%s\",\"signal\":\"%s\",\"exit_code\":%d,\"notes\":[", milliseconds,
          s->verdict == VERDICT_NONE && s->call != NULL ? s->call : "", signal, s->exit_code);
  for (uint32_t i = 0; i < s->note_count; i++) {
    if (i > 0) fputc(',', file);
    write_json_string(file, s->notes[i]);
  }
  fputs("],\"log\":[", file);
  for (uint32_t i = first; i < logs; i++) {
    if (i > first) fputc(',', file);
    write_json_string(file, s->logs[i % LOGS_MAX]);
  }
  fputs("]}\n", file);
}

/* Waits for the child as long as a check may take; kills it then. 1 when it had to. */
static int wait_for(pid_t pid, int ended, int *status) {
  struct pollfd until = {.fd = ended, .events = POLLIN};
  int n, late;
  do {
    n = poll(&until, 1, (int)run.plan.timeout_ms);
  } while (n < 0 && errno == EINTR);
  late = n == 0;
  if (late) kill(pid, SIGKILL);
  while (waitpid(pid, status, 0) < 0 && errno == EINTR) {
  }
  return late;
}

void judge(int status, int late, const char **signal) {
  shared_t *s = run.shared;
  const char *call = s->call == NULL ? "" : s->call, *in = s->call == NULL ? "between calls" : "in ";
  *signal = "";
  if (WIFEXITED(status) && WEXITSTATUS(status) == MEMORY_CHECKER_EXIT) {
    s->exit_code = MEMORY_CHECKER_EXIT;
    s->verdict = VERDICT_FAIL;
    snprintf(s->message, sizeof s->message, "The memory checker found errors");
    return;
  }
  if (s->verdict != VERDICT_NONE) return;
  if (late && s->call != NULL) {
    snprintf(s->message, sizeof s->message, "No answer from %s within %lld ms", call, (long long)run.plan.timeout_ms);
  } else if (late) {
    snprintf(s->message, sizeof s->message, "Not at its end after %lld ms", (long long)run.plan.timeout_ms);
  } else if (WIFSIGNALED(status)) {
    *signal = signal_name(WTERMSIG(status));
    snprintf(s->message, sizeof s->message, "Crashed with %s %s%s%s", *signal, in, call, s->hint == NULL ? "" : s->hint);
  } else {
    s->exit_code = s->exited ? s->exit_code : WEXITSTATUS(status);
    snprintf(s->message, sizeof s->message, "%s(%d) %s%s", s->exited ? "Called exit" : "Ended the process with _exit", s->exit_code,
             in, call);
  }
}

static void supervise(const check_t *check, FILE *results) {
  int ends[2], status = 0, late;
  uint64_t begun = nanoseconds();
  const char *signal;
  pid_t pid;
  memset(run.shared, 0, sizeof *run.shared);
  snprintf(run.root, sizeof run.root, "%s/%s", run.plan.work, check->name);
  mkdir(run.root, 0700);
  /* The child holds the end to write to until it is gone. */
  if (pipe(ends) != 0) {
    fprintf(stderr, "Cannot run a check: %s\n", strerror(errno));
    exit(1);
  }
  pid = fork();
  if (pid == 0) {
    close(ends[0]);
    child(check);
  }
  close(ends[1]);
  if (pid < 0) {
    fprintf(stderr, "Cannot run a check: %s\n", strerror(errno));
    exit(1);
  }
  late = wait_for(pid, ends[0], &status);
  close(ends[0]);
  judge(status, late, &signal);
  write_result(results, check, signal, (double)(nanoseconds() - begun) / 1e6);
}

void run_checks(const char *result_path) {
  busbar_json_iterator_t it = busbar_json_iterate(run.plan.checks);
  FILE *results = fopen(result_path, "we");
  if (results == NULL) {
    fprintf(stderr, "Cannot write \"%s\": %s\n", result_path, strerror(errno));
    exit(1);
  }
  run.shared = mmap(NULL, sizeof *run.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (run.shared == MAP_FAILED) exit(1);
  while (busbar_json_next(&it)) {
    char *name = busbar_json_text(it.value);
    const check_t *check = name == NULL ? NULL : find_check(name);
    if (check == NULL) {
      fprintf(stderr, "Cannot read the plan: there is no check \"%s\"\n", name == NULL ? "" : name);
      exit(2);
    }
    fflush(results);
    supervise(check, results);
    free(name);
  }
  if (fclose(results) != 0) exit(1);
}
