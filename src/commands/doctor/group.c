#include <inttypes.h>
#include <stdlib.h>

#include "commands/doctor/checks.h"
#include "core/memory.h"
#include "kafka/group.h"

enum { ORDERS, MEMBER_BYTES = 200 };

static void
add_refusal(struct of_doctor *doctor, enum of_status status, const struct of_error *err)
{
    of_report_add(doctor->report, OF_VERDICT_FAIL, "group", "%s", err->text);
    of_report_remedy(doctor->report, "%s", status == OF_RETRY
                     ? "see whether the brokers have a coordinator for it: is __consumer_offsets whole?"
                     : "allow this user to Read and Describe the group (kafka-acls)");
}

/* How much is committed, of how much there is. */
static enum of_status
measure(struct of_doctor *doctor, struct of_group *group, int32_t *begun, int64_t *behind, struct of_error *err)
{
    int32_t count = doctor->partitions[ORDERS];
    int64_t *committed = of_alloc_array((size_t)count, sizeof *committed);
    int64_t *ends = of_alloc_array((size_t)count, sizeof *ends);
    enum of_status status = of_group_committed(group, doctor->kafka.orders_topic, count, OF_DOCTOR_MS, committed, err);
    if (status == OF_OK)
        status = of_group_ends(group, doctor->kafka.orders_topic, count, OF_DOCTOR_MS, ends, err);
    for (int32_t i = 0; status == OF_OK && i < count; i++) {
        *begun += committed[i] >= 0;
        if (committed[i] >= 0 && ends[i] > committed[i])
            *behind += ends[i] - committed[i];
    }
    free(committed);
    free(ends);
    return status;
}

static enum of_status
look(struct of_doctor *doctor, struct of_group *group, struct of_error *err)
{
    uint32_t members;
    int32_t begun = 0;
    int64_t behind = 0;
    char one[MEMBER_BYTES];
    enum of_status status = of_group_members(group, OF_DOCTOR_MS, &members, one, sizeof one, err);
    if (status == OF_OK && doctor->partitions[ORDERS] > 0)
        status = measure(doctor, group, &begun, &behind, err);
    if (status != OF_OK)
        return status;
    if (begun == 0)
        of_report_add(doctor->report, OF_VERDICT_OK, "group", "%s has %" PRIu32 " member%s and committed nothing yet; a run "
                      "begins at --from", doctor->kafka.group, members, members == 1 ? "" : "s");
    else
        of_report_add(doctor->report, OF_VERDICT_OK, "group", "%s has %" PRIu32 " member%s%s%s and is %" PRId64
                      " orders behind in %" PRId32 " partitions", doctor->kafka.group, members, members == 1 ? "" : "s",
                      members > 0 ? ", such as " : "", one, behind, begun);
    return OF_OK;
}

void
of_doctor_check_group(struct of_doctor *doctor)
{
    struct of_group *group;
    struct of_error err;
    if (!doctor->reached) {
        of_report_add(doctor->report, OF_VERDICT_SKIP, "group", "not checked, as no broker answers");
        return;
    }
    enum of_status status = of_group_open(&doctor->kafka, &group, &err);
    if (status == OF_OK)
        status = look(doctor, group, &err);
    if (status != OF_OK)
        add_refusal(doctor, status, &err);
    of_group_close(&group);
}
