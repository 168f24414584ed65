/* An order as it is before it is encoded: what the generator makes and what the rows of a file give.
 *
 * The slices borrow; whoever fills the struct says for how long. */
#ifndef OF_ORDER_ORDER_H
#define OF_ORDER_ORDER_H

#include "core/slice.h"

struct of_order {
    struct of_slice id;      /* UTF-8 */
    struct of_slice product; /* UTF-8 */
    float price;
};

#endif
