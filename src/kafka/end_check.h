#include "kafka/options.h"
struct of_end_check;
static inline enum of_status of_end_check_open(const struct of_kafka_options *o, struct of_end_check **c, struct of_error *e) { (void)o; (void)c; (void)e; return OF_OK; }
static inline enum of_status of_end_check_step(struct of_end_check *c, struct of_error *e) { (void)c; (void)e; return OF_AGAIN; }
static inline void of_end_check_close(struct of_end_check **c) { (void)c; }
