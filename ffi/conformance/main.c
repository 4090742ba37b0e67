/*
 * busbar_conformance: checks whether a plugin keeps the contract of busbar.h.      SPDX-License-Identifier: Apache-2.0
 *
 * It is native, so that memory, threads and descriptors can be counted without those of a script engine, and so that Valgrind and
 * AddressSanitizer work. `busbar plugin test` and `busbar plugin bench` make the plan, start it, and report.
 */
#include "conformance.h"

extern const check_t load_checks[], create_checks[], life_checks[], leak_checks[], state_checks[], call_checks[], data_checks[],
    source_checks[], processor_checks[], reaction_checks[], other_checks[];

const check_t *const check_lists[] = {load_checks, create_checks, life_checks,      leak_checks,     state_checks, call_checks,
                                      data_checks, source_checks, processor_checks, reaction_checks, other_checks, NULL};

const check_t *find_check(const char *name) {
  for (const check_t *const *list = check_lists; *list != NULL; list++)
    for (const check_t *check = *list; check->name != NULL; check++)
      if (strcmp(check->name, name) == 0) return check;
  return NULL;
}

static void list_check(const check_t *check, int first) {
  const char *separator = "";
  printf("%s\n{\"name\":\"%s\",\"kinds\":[", first ? "" : ",", check->name);
  for (uint32_t kind = BUSBAR_SOURCE; kind <= BUSBAR_HOOK; kind++) {
    if ((check->kinds & KIND(kind)) == 0) continue;
    printf("%s\"%s\"", separator, kind_name(kind));
    separator = ",";
  }
  printf("],\"severity\":\"%s\",\"needs\":[%s%s%s],\"proves\":", check->severity, check->needs[0] ? "\"" : "", check->needs,
         check->needs[0] ? "\"" : "");
  write_json_string(stdout, check->proves);
  printf("}");
}

static int list_checks(void) {
  int first = 1;
  printf("[");
  for (const check_t *const *list = check_lists; *list != NULL; list++)
    for (const check_t *check = *list; check->name != NULL; check++, first = 0) list_check(check, first);
  printf("\n]\n");
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "--list") == 0) return list_checks();
  if (argc != 4 || (strcmp(argv[1], "run") != 0 && strcmp(argv[1], "bench") != 0)) {
    fprintf(stderr, "usage: %s --list | run PLAN RESULT | bench PLAN RESULT\n", argv[0]);
    return 2;
  }
  plan_read(&run.plan, argv[2]);
  if (strcmp(argv[1], "bench") == 0) return run_bench(argv[3]);
  run_checks(argv[3]);
  return 0;
}
