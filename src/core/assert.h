/* Assertions that stay on in every build: a broken invariant stops the process before it can commit anything.
 *
 * OF_ASSERT(condition): what must hold unless there is a bug of ours. Never for what comes from outside. */
#ifndef OF_CORE_ASSERT_H
#define OF_CORE_ASSERT_H

_Noreturn void of_assert_failed(const char *condition, const char *file, int line, const char *function);

#define OF_ASSERT(condition) \
    (__builtin_expect(!!(condition), 1) ? (void)0 : of_assert_failed(#condition, __FILE__, __LINE__, __func__))

#endif
