#include "stages/board.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/memory.h"

void
of_board_init(struct of_board *board)
{
    *board = (struct of_board) { .held = NULL };
    pthread_mutex_init(&board->mutex, NULL);
}

void
of_board_fini(struct of_board *board)
{
    pthread_mutex_destroy(&board->mutex);
    free(board->held);
}

static struct of_held *
find(struct of_board *board, const struct of_slot *slot)
{
    for (uint32_t i = 0; i < board->count; i++)
        if (board->held[i].partition == slot->partition && strcmp(board->held[i].topic, slot->topic) == 0)
            return &board->held[i];
    return NULL;
}

static struct of_held *
add(struct of_board *board)
{
    if (board->count == board->room) {
        board->room = board->room == 0 ? 8 : 2 * board->room;
        board->held = of_realloc_array(board->held, board->room, sizeof *board->held);
    }
    return &board->held[board->count++];
}

void
of_board_hold(struct of_board *board, const struct of_slot *slot, int64_t offset, enum of_cause cause,
              const char *text, int64_t wall_ms)
{
    pthread_mutex_lock(&board->mutex);
    struct of_held *held = find(board, slot);
    if (held == NULL) {
        held = add(board);
        *held = (struct of_held) { .topic = slot->topic, .partition = slot->partition, .since_ms = wall_ms };
    }
    held->offset = offset;
    held->cause = cause;
    held->reading_since_ns = 0;
    snprintf(held->text, sizeof held->text, "%s", text);
    pthread_mutex_unlock(&board->mutex);
}

void
of_board_try(struct of_board *board, const struct of_slot *slot, int64_t now_ns)
{
    pthread_mutex_lock(&board->mutex);
    struct of_held *held = find(board, slot);
    if (held != NULL)
        held->reading_since_ns = now_ns;
    pthread_mutex_unlock(&board->mutex);
}

void
of_board_clear(struct of_board *board, const struct of_slot *slot)
{
    pthread_mutex_lock(&board->mutex);
    struct of_held *held = find(board, slot);
    if (held != NULL)
        *held = board->held[--board->count];
    pthread_mutex_unlock(&board->mutex);
}

void
of_board_clear_all(struct of_board *board)
{
    pthread_mutex_lock(&board->mutex);
    board->count = 0;
    pthread_mutex_unlock(&board->mutex);
}

uint32_t
of_board_list(struct of_board *board, struct of_held *out, uint32_t most)
{
    pthread_mutex_lock(&board->mutex);
    uint32_t count = board->count < most ? board->count : most;
    if (count > 0)
        memcpy(out, board->held, count * sizeof *out);
    pthread_mutex_unlock(&board->mutex);
    return count;
}
