/* The wiring and the state of everything, as texts for people. */
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "core/memory.h"
#include "order/cause.h"
#include "pipeline_private.h"

enum {
    NAME_BYTES = 24,
    HELD_DUMPED = 200, /* of one lane */
    DUMP_MS = 1000,    /* how long threads have to answer */
};

/* ---- the wiring ---- */

static void
name_instance(char name[NAME_BYTES], enum of_stage stage, uint32_t instance)
{
    snprintf(name, NAME_BYTES, "%s[%u]", of_stage_rows[stage].name, instance);
}

void
of_pipeline_print_wiring(const struct of_pipeline *pipeline, FILE *out)
{
    fprintf(out, "threads\n");
    for (uint32_t i = 0; i < pipeline->crew_count; i++) {
        const struct of_crew *crew = pipeline->crews[i];
        fprintf(out, "  %-14s runs", crew->name);
        for (uint32_t a = 0; a < crew->agent_count; a++)
            fprintf(out, " %s[%u]", crew->agents[a]->ops->name, crew->agents[a]->instance);
        fprintf(out, ", waits on %s\n", crew->bell.kind == OF_BELL_FD ? "an eventfd" : "a futex");
    }
    fprintf(out, "edges\n  %-5s %-15s %-15s %8s  %s\n", "lane", "from", "to", "capacity", "carries");
    for (uint32_t i = 0; i < pipeline->wire_count; i++) {
        const struct of_wire *wire = &pipeline->wires[i];
        char from[NAME_BYTES], to[NAME_BYTES];
        name_instance(from, of_wire_edge(wire)->from, wire->from);
        name_instance(to, of_wire_edge(wire)->to, wire->to);
        fprintf(out, "  %-5u %-15s %-15s %8u  %s\n", wire->lane, from, to, wire->capacity, of_wire_edge(wire)->carries);
    }
}

/* ---- what stands in the way ---- */

/* Held partitions with their texts, as the readiness check tells them. */
static uint32_t
dump_held(const struct of_pipeline *pipeline, FILE *out)
{
    uint32_t total = 0;
    struct of_held *held = of_alloc_array(HELD_DUMPED, sizeof *held);
    int64_t wall_ms = of_clock_wall_ms(pipeline->options.clock);
    for (uint32_t lane = 0; lane < pipeline->lanes; lane++) {
        uint32_t count = of_board_list(of_fetch_board(of_pipeline_fetch(pipeline, lane)), held, HELD_DUMPED);
        for (uint32_t i = 0; i < count; i++)
            fprintf(out, "  %s %" PRId32 " is held at offset %" PRId64 " since %.1f s%s: %s (%s)\n", held[i].topic,
                    held[i].partition, held[i].offset, (double)(wall_ms - held[i].since_ms) / 1000,
                    held[i].reading_since_ns != 0 ? ", and is being tried" : "", held[i].text,
                    of_cause_name(held[i].cause));
        total += count;
    }
    free(held);
    return total;
}

static uint32_t
dump_phases(const struct of_pipeline *pipeline, FILE *out)
{
    uint32_t count = 0;
    for (uint32_t lane = 0; lane < pipeline->lanes; lane++)
        if (of_pipeline_phase(pipeline, lane) != OF_FETCH_READING) {
            fprintf(out, "  lane %u is %s\n", lane, of_fetch_phase_name(of_pipeline_phase(pipeline, lane)));
            count++;
        }
    return count;
}

/* A ring that is nearly full: who takes from it is what the others wait for. */
static uint32_t
dump_full_rings(const struct of_pipeline *pipeline, FILE *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < pipeline->wire_count; i++) {
        const struct of_wire *wire = &pipeline->wires[i];
        /* Chunks may have one batch each. */
        uint32_t most = pipeline->chunks < OF_BATCHES_PER_LANE ? pipeline->chunks : OF_BATCHES_PER_LANE;
        if (of_wire_edge(wire)->kind != OF_EDGE_FORWARD || of_ring_count(wire->ring) < most * 3 / 4)
            continue;
        fprintf(out, "  lane %u: the others wait for %s[%u], which has %u items before it\n", wire->lane,
                of_stage_rows[of_wire_edge(wire)->to].name, wire->to, of_ring_count(wire->ring));
        count++;
    }
    return count;
}

/* ---- threads and rings ---- */

/* The crew's answer, to be freed; NULL: it has not turned by the deadline. */
static char *
await_answer(struct of_pipeline *pipeline, struct of_crew *crew, uint32_t number, int64_t deadline_ns)
{
    const struct timespec pause = { .tv_nsec = OF_MS_NS };
    int64_t never_ns = OF_NEVER_NS;
    if (!pipeline->options.threads)
        of_crew_turn(crew, &never_ns);
    for (;;) {
        char *text = of_crew_answer(crew, number);
        if (text != NULL || !pipeline->options.threads || of_clock_mono_ns(pipeline->options.clock) >= deadline_ns)
            return text;
        nanosleep(&pause, NULL);
    }
}

static void
dump_crew(struct of_pipeline *pipeline, uint32_t index, uint32_t number, int64_t deadline_ns, FILE *out)
{
    struct of_crew *crew = pipeline->crews[index];
    int64_t turned_ns = atomic_load_explicit(&crew->turned_ns, memory_order_relaxed);
    char *text = await_answer(pipeline, crew, number, deadline_ns);
    fprintf(out, "\nthread %s\n", crew->name);
    if (text != NULL)
        fputs(text, out);
    else if (turned_ns == 0)
        fprintf(out, "  does not run\n");
    else
        fprintf(out, "  does not answer: its last turn ended %.1f s ago, and it is in a call since\n",
                (double)(of_clock_mono_ns(pipeline->options.clock) - turned_ns) / (double)OF_SECOND_NS);
    free(text);
}

static void
dump_rings(const struct of_pipeline *pipeline, FILE *out)
{
    fprintf(out, "\nrings\n  %-5s %-15s %-15s %8s %8s  %s\n", "lane", "from", "to", "items", "capacity", "carries");
    for (uint32_t i = 0; i < pipeline->wire_count; i++) {
        const struct of_wire *wire = &pipeline->wires[i];
        char from[NAME_BYTES], to[NAME_BYTES];
        name_instance(from, of_wire_edge(wire)->from, wire->from);
        name_instance(to, of_wire_edge(wire)->to, wire->to);
        fprintf(out, "  %-5u %-15s %-15s %8u %8u  %s\n", wire->lane, from, to, of_ring_count(wire->ring),
                wire->capacity, of_wire_edge(wire)->carries);
    }
}

void
of_pipeline_dump(struct of_pipeline *pipeline, FILE *out)
{
    uint32_t *numbers = of_alloc_array(pipeline->crew_count, sizeof *numbers);
    for (uint32_t i = 0; i < pipeline->crew_count; i++)
        numbers[i] = of_crew_ask(pipeline->crews[i]);
    fprintf(out, "what stands in the way\n");
    uint32_t found = dump_phases(pipeline, out);
    found += dump_held(pipeline, out);
    found += dump_full_rings(pipeline, out);
    if (found == 0)
        fprintf(out, "  nothing\n");
    int64_t deadline_ns = of_clock_mono_ns(pipeline->options.clock) + DUMP_MS * OF_MS_NS;
    for (uint32_t i = 0; i < pipeline->crew_count; i++)
        dump_crew(pipeline, i, numbers[i], deadline_ns, out);
    dump_rings(pipeline, out);
    free(numbers);
}
