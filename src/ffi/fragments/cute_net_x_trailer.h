/* The same for languages that can't pass structs by value. */
#include "cute_net_pointers.h"
