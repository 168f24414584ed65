/* Locks of names between processes, users and the temporary folder's dangers, in a folder of the test's own. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "commands/instance_lock.h"

static char parent[64], folder[96];

static int
set_up(void **state)
{
    (void)state;
    strcpy(parent, "/tmp/orderflow-lock-XXXXXX");
    if (mkdtemp(parent) == NULL)
        return -1;
    snprintf(folder, sizeof folder, "%s/locks", parent);
    return chmod(parent, 0755);
}

static int
tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", parent);
    return system(command);
}

static char *
in_folder(const char *name)
{
    static char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static struct of_instance_lock
take(const char *name)
{
    struct of_instance_lock lock;
    struct of_error err;
    if (of_instance_lock_take(&lock, folder, name, "instance it\n", &err) != OF_OK)
        fail_msg("%s", err.text);
    return lock;
}

static enum of_status
attempt(const char *name, struct of_error *err)
{
    struct of_instance_lock lock;
    enum of_status status = of_instance_lock_take(&lock, folder, name, "instance it\n", err);
    of_instance_lock_give_back(&lock);
    return status;
}

static void
one_holder_at_a_time(void **state)
{
    (void)state;
    struct of_error err;
    struct of_instance_lock first = take("a"), other = take("b");
    assert_int_equal(attempt("a", &err), OF_AGAIN);
    char holder[64];
    snprintf(holder, sizeof holder, "process %ld, since 2", (long)getpid());
    assert_non_null(strstr(err.text, holder));
    assert_int_equal(attempt("a", NULL), OF_AGAIN);
    of_instance_lock_give_back(&first);
    of_instance_lock_give_back(&first);
    assert_int_equal(attempt("a", &err), OF_OK);
    assert_int_equal(attempt("b", &err), OF_AGAIN);
    of_instance_lock_give_back(&other);
}

/* Another process takes the lock as another user, tells so, and waits to be killed. */
static pid_t
hold_elsewhere(uid_t user)
{
    int said[2];
    char byte;
    assert_int_equal(pipe(said), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct of_instance_lock lock;
        alarm(30);
        if (setuid(user) != 0 || of_instance_lock_take(&lock, folder, "a", "", NULL) != OF_OK || write(said[1], "", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    close(said[1]);
    assert_int_equal(read(said[0], &byte, 1), 1);
    close(said[0]);
    return child;
}

static void
killed_holders_hold_nothing(void **state)
{
    (void)state;
    struct of_error err;
    char holder[64];
    pid_t child = hold_elsewhere(getuid());
    snprintf(holder, sizeof holder, "process %ld,", (long)child);
    assert_int_equal(attempt("a", &err), OF_AGAIN);
    assert_non_null(strstr(err.text, holder));
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(attempt("a", &err), OF_OK);
}

static void
users_share_the_folder(void **state)
{
    (void)state;
    if (getuid() != 0)
        skip();
    umask(077);
    struct of_instance_lock lock = take("a");
    umask(022);
    of_instance_lock_give_back(&lock);
    pid_t child = hold_elsewhere(65534);
    assert_int_equal(attempt("a", NULL), OF_AGAIN);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    struct stat found;
    assert_int_equal(stat(folder, &found), 0);
    assert_int_equal(found.st_mode & 07777, 01777);
    assert_int_equal(stat(in_folder("a.lock"), &found), 0);
    assert_int_equal(found.st_mode & 07777, 0666);
    assert_int_equal(attempt("a", NULL), OF_OK);
}

static void
children_do_not_inherit_it(void **state)
{
    (void)state;
    struct of_instance_lock lock = take("a");
    assert_true(fcntl(lock.file, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(lock.folder, F_GETFD) & FD_CLOEXEC);
    of_instance_lock_give_back(&lock);
}

static void
the_file_speaks_to_people(void **state)
{
    (void)state;
    struct of_instance_lock first = take("a");
    of_instance_lock_give_back(&first);
    struct of_instance_lock lock;
    assert_int_equal(of_instance_lock_take(&lock, folder, "a", "x\n", NULL), OF_OK); /* shorter than the text before */
    char text[256] = "", pid[32];
    FILE *file = fopen(in_folder("a.lock"), "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    snprintf(pid, sizeof pid, "pid %ld\nsince 2", (long)getpid());
    assert_ptr_equal(strstr(text, pid), text);
    assert_string_equal(text + strlen(text) - 4, "Z\nx\n");
    of_instance_lock_give_back(&lock);
}

/* What others may have put there is neither followed, nor written to, nor believed. */
static void
traps_are_not_stepped_into(void **state)
{
    (void)state;
    struct of_error err;
    struct stat found;
    struct of_instance_lock lock = take("made");
    of_instance_lock_give_back(&lock);
    char victim[128];
    snprintf(victim, sizeof victim, "%s/victim", parent);
    int file = open(victim, O_CREAT | O_WRONLY, 0600);
    assert_true(file >= 0);
    close(file);
    assert_int_equal(symlink(victim, in_folder("soft.lock")), 0);
    assert_int_equal(attempt("soft", &err), OF_FATAL);
    assert_non_null(strstr(err.text, "soft.lock: "));
    assert_int_equal(link(victim, in_folder("hard.lock")), 0);
    assert_int_equal(attempt("hard", &err), OF_FATAL);
    assert_int_equal(mkfifo(in_folder("pipe.lock"), 0666), 0);
    assert_int_equal(attempt("pipe", &err), OF_FATAL); /* and does not wait for a reader */
    assert_int_equal(mkdir(in_folder("folder.lock"), 0777), 0);
    assert_int_equal(attempt("folder", &err), OF_FATAL);
    assert_int_equal(stat(victim, &found), 0);
    assert_int_equal(found.st_size, 0);

    lock = take("lies");
    file = open(in_folder("lies.lock"), O_WRONLY | O_TRUNC);
    assert_int_equal(write(file, "pid 1\nsince \033[31m\n", 18), 18);
    close(file);
    assert_int_equal(attempt("lies", &err), OF_AGAIN);
    assert_string_equal(err.text, "another process");
    of_instance_lock_give_back(&lock);
}

/* As a cleaner of temporary folders may do: the name is free again, and the old holder's file is nobody's. */
static void
a_deleted_file_is_made_anew(void **state)
{
    (void)state;
    struct of_instance_lock old = take("a");
    assert_int_equal(unlink(in_folder("a.lock")), 0);
    struct of_instance_lock lock = take("a");
    assert_int_equal(attempt("a", NULL), OF_AGAIN);
    of_instance_lock_give_back(&old);
    assert_int_equal(attempt("a", NULL), OF_AGAIN);
    of_instance_lock_give_back(&lock);
}

static void
a_folder_that_cannot_be_is_told(void **state)
{
    (void)state;
    struct of_error err;
    struct of_instance_lock lock;
    assert_int_equal(of_instance_lock_take(&lock, "/proc/orderflow", "a", "", &err), OF_FATAL);
    assert_non_null(strstr(err.text, "lock folder /proc/orderflow: "));
    assert_int_equal(symlink("/tmp", folder), 0);
    assert_int_equal(attempt("a", &err), OF_FATAL);
}

int
main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(one_holder_at_a_time),
        TEST(killed_holders_hold_nothing),
        TEST(users_share_the_folder),
        TEST(children_do_not_inherit_it),
        TEST(the_file_speaks_to_people),
        TEST(traps_are_not_stepped_into),
        TEST(a_deleted_file_is_made_anew),
        TEST(a_folder_that_cannot_be_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
