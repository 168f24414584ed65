/* One question to a registry: private to registry/. What client.c offers to the files that know the questions. */
#ifndef OF_REGISTRY_CALL_H
#define OF_REGISTRY_CALL_H

#include "registry/reply.h"

struct of_registry_call {
    const char *path; /* behind the base URL */
    const char *body; /* NULL: GET */
    /* What the reply means; the first that is not UNAVAILABLE ends the call. */
    enum of_registry_answer (*judge)(struct of_reply *reply, void *ctx, struct of_error *err);
    void *ctx;
};

/* Asks the URL that answered last, and goes on to the next while one is unavailable. */
enum of_registry_answer of_registry_ask(struct of_registry_client *client, const struct of_registry_call *call,
                                        struct of_error *err);

/* The registry that answered last has no GUIDs. Holds for a minute, or until another one answers. */
void of_registry_note_no_guids(struct of_registry_client *client);

/* before + the subject as a part of a path + behind; the caller frees it. */
char *of_registry_subject_path(const char *before, const char *subject, const char *behind);

#endif
