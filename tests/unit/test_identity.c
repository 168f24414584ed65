/* Which name an instance has, and why. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "commands/identity.h"

static char folder[64];
static const struct of_host web7 = { .name = "web7" };

static int
set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/orderflow-identity-XXXXXX");
    unsetenv("KUBERNETES_SERVICE_HOST");
    unsetenv("container");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static struct of_identity_options
options(const char *wanted)
{
    return (struct of_identity_options) {
        .wanted = wanted, .cluster = "C1", .group = "orders/a b", .lock_folder = folder, .host = &web7, .members = 2,
    };
}

static struct of_identity *
open_with(const struct of_identity_options *wanted)
{
    struct of_error err;
    struct of_identity *identity;
    if (of_identity_open(wanted, &identity, &err) != OF_OK)
        fail_msg("%s", err.text);
    return identity;
}

static struct of_identity *
open_as(const char *wanted)
{
    struct of_identity_options opts = options(wanted);
    return open_with(&opts);
}

static void
assert_name(struct of_identity *identity, const char *name)
{
    assert_string_equal(of_identity_name(identity), name);
    of_identity_close(&identity);
}

static void
members_are_numbered(void **state)
{
    (void)state;
    struct of_identity *identity = open_as("eu-1");
    assert_string_equal(of_identity_name(identity), "eu-1");
    assert_string_equal(of_identity_instance_id(identity, 0), "eu-1-0");
    assert_string_equal(of_identity_instance_id(identity, 1), "eu-1-1");
    assert_string_equal(of_identity_transactional_id(identity, 1), "orderflow-orders/a b/eu-1-1");
    assert_string_equal(of_identity_reason(identity), "eu-1, as --instance-id says");
    of_identity_close(&identity);
    assert_null(identity);
    of_identity_close(&identity);
}

/* Of a group and an instance whose names can be cut in more than one way. */
static void
no_two_groups_share_an_id(void **state)
{
    (void)state;
    static const struct {
        const char *group, *name;
    } twins[][2] = {
        { { "g", "staging-web1" }, { "g-staging", "web1" } },
        { { "g", "staging-web1" }, { "g/staging", "web1" } },
        { { "g/a", "b" }, { "g", "a-b" } },
        { { "", "a" }, { "/a", "a" } },
        { { "g", "a-1" }, { "g", "a" } },
    };
    for (size_t i = 0; i < sizeof twins / sizeof *twins; i++) {
        struct of_identity *identities[2];
        for (int k = 0; k < 2; k++) {
            struct of_identity_options wanted = options(twins[i][k].name);
            wanted.group = twins[i][k].group;
            identities[k] = open_with(&wanted);
        }
        for (uint32_t a = 0; a < 2; a++)
            for (uint32_t b = 0; b < 2; b++)
                assert_string_not_equal(of_identity_transactional_id(identities[0], a),
                                        of_identity_transactional_id(identities[1], b));
        of_identity_close(&identities[0]);
        of_identity_close(&identities[1]);
    }
}

static void
hosts_have_slots(void **state)
{
    (void)state;
    struct of_identity *first = open_as("auto"), *second = open_as("host");
    assert_string_equal(of_identity_name(first), "web7-0");
    assert_string_equal(of_identity_instance_id(second, 1), "web7-1-1");
    assert_string_equal(of_identity_reason(first), "web7-0, the host's name and first free slot");
    of_identity_close(&first);
    struct of_identity *third = open_as("auto");
    assert_string_equal(of_identity_name(third), "web7-0");
    of_identity_close(&third);
    of_identity_close(&second);
}

static void
clusters_and_groups_are_apart(void **state)
{
    (void)state;
    struct of_identity *first = open_as("host");
    struct of_identity_options other_group = options("host"), other_cluster = options("host");
    other_group.group = "orders/a_b";
    other_cluster.cluster = "C2";
    assert_name(open_with(&other_group), "web7-0");
    assert_name(open_with(&other_cluster), "web7-0");
    of_identity_close(&first);
}

static void
a_name_in_use_is_refused(void **state)
{
    (void)state;
    struct of_identity *first = open_as("a"), *second;
    struct of_identity_options again = options("a");
    struct of_error err;
    char holder[64];
    assert_int_equal(of_identity_open(&again, &second, &err), OF_FATAL);
    assert_null(second);
    snprintf(holder, sizeof holder, "process %ld, since", (long)getpid());
    assert_non_null(strstr(err.text, holder));
    assert_non_null(strstr(err.text, "instance a of group orders/a b"));
    of_identity_close(&first);
    assert_name(open_with(&again), "a");
}

static void
slots_and_given_names_are_the_same_names(void **state)
{
    (void)state;
    struct of_identity *given = open_as("web7-0");
    assert_name(open_as("host"), "web7-1");
    of_identity_close(&given);
}

static void
who_has_no_name_is_unique(void **state)
{
    (void)state;
    struct of_identity *first = open_as("none"), *second = open_as("none");
    assert_null(of_identity_name(first));
    assert_null(of_identity_instance_id(first, 0));
    assert_string_equal(of_identity_reason(first), "none: as --instance-id says");
    const char *id = of_identity_transactional_id(first, 1);
    assert_int_equal(strlen(id), strlen("orderflow-orders/a b-0123456789abcdef-1"));
    assert_int_equal(strncmp(id, "orderflow-orders/a b/", 21), 0);
    assert_string_equal(id + strlen(id) - 2, "-1");
    assert_string_not_equal(id, of_identity_transactional_id(second, 1));
    of_identity_close(&first);
    of_identity_close(&second);
}

static void
a_changing_host_name_is_no_name(void **state)
{
    (void)state;
    struct of_host host = { .name = "0123456789ab", .changing = of_host_complaint("0123456789ab") };
    struct of_identity_options wanted = options("auto");
    wanted.host = &host;
    struct of_identity *identity = open_with(&wanted);
    assert_null(of_identity_name(identity));
    assert_string_equal(of_identity_reason(identity), "none: the host's name looks like the number of a container");
    of_identity_close(&identity);
    wanted.wanted = "host";
    assert_name(open_with(&wanted), "0123456789ab-0");
}

static void
host_names_are_made_fit(void **state)
{
    (void)state;
    struct of_host host = { .name = ".h\xc3\xb6st_1.example" };
    struct of_identity_options wanted = options("auto");
    wanted.host = &host;
    assert_name(open_with(&wanted), "-h--st_1.example-0");
}

/* Whoever says the name is not stopped by a folder that cannot be written to; who would have to find one is. */
static void
no_lock_no_slot(void **state)
{
    (void)state;
    struct of_error err;
    struct of_identity *identity;
    struct of_identity_options wanted = options("host");
    wanted.lock_folder = "/proc/orderflow";
    assert_int_equal(of_identity_open(&wanted, &identity, &err), OF_FATAL);
    assert_non_null(strstr(err.text, "/proc/orderflow"));
    wanted.wanted = "auto";
    identity = open_with(&wanted);
    assert_null(of_identity_name(identity));
    assert_non_null(strstr(of_identity_reason(identity), "/proc/orderflow"));
    of_identity_close(&identity);
    wanted.wanted = "a";
    assert_name(open_with(&wanted), "a");
}

static void
containers_are_seen(void **state)
{
    (void)state;
    struct of_host host;
    char path[96], name[65] = "";
    gethostname(name, sizeof name - 1);
    of_host_look(&host, folder);
    assert_string_equal(host.name, name);
    assert_true(host.changing == of_host_complaint(name));
    setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1);
    of_host_look(&host, folder);
    assert_non_null(strstr(host.changing, "KUBERNETES_SERVICE_HOST"));
    unsetenv("KUBERNETES_SERVICE_HOST");
    setenv("container", "podman", 1);
    of_host_look(&host, folder);
    assert_non_null(strstr(host.changing, "variable container"));
    unsetenv("container");
    snprintf(path, sizeof path, "%s/run", folder);
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(path, sizeof path, "%s/run/.containerenv", folder);
    assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0644)), 0);
    of_host_look(&host, folder);
    assert_non_null(strstr(host.changing, "/run/.containerenv"));
    snprintf(path, sizeof path, "%s/.dockerenv", folder);
    assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0644)), 0);
    of_host_look(&host, folder);
    assert_non_null(strstr(host.changing, "/.dockerenv"));
}

static void
names_of_hosts_are_judged(void **state)
{
    (void)state;
    static const char *const bad[] = { "", "localhost", "localhost.localdomain", "(none)", "0123456789ab" };
    static const char *const good[] = { "web7", "0123456789a", "0123456789abc", "0123456789aB", "0123456789ag" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_non_null(of_host_complaint(bad[i]));
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_null(of_host_complaint(good[i]));
}

static void
names_are_what_kafka_takes(void **state)
{
    (void)state;
    char name[202];
    memset(name, 'x', sizeof name - 1);
    name[201] = '\0';
    assert_non_null(of_identity_complaint(name));
    name[200] = '\0';
    assert_null(of_identity_complaint(name));
    assert_name(open_as(name), name);
    assert_null(of_identity_complaint("A.b_c-9"));
    static const char *const bad[] = { "a b", "a/b", "\xc3\xb6", ".", "..", ".a", "a\n" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_non_null(of_identity_complaint(bad[i]));
}

int
main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(members_are_numbered),
        TEST(no_two_groups_share_an_id),
        TEST(hosts_have_slots),
        TEST(clusters_and_groups_are_apart),
        TEST(a_name_in_use_is_refused),
        TEST(slots_and_given_names_are_the_same_names),
        TEST(who_has_no_name_is_unique),
        TEST(a_changing_host_name_is_no_name),
        TEST(host_names_are_made_fit),
        TEST(no_lock_no_slot),
        TEST(containers_are_seen),
        TEST(names_of_hosts_are_judged),
        TEST(names_are_what_kafka_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
