#if CN_SERVER_MAX_CLIENTS != 32 && !defined(cn_server_create)
#    define cn_server_create(config) cnx_server_create((config), CN_SERVER_MAX_CLIENTS)
#endif

#ifndef CN_NET_INTERNAL_H
#define CN_NET_INTERNAL_H

#define CN_CRYPTO_HEADER_BYTES ((int)(20 + 16))
#define CN_KB 1024
#define CN_MB (CN_KB * CN_KB)

#endif /* CN_NET_INTERNAL_H */

/*
 * The functions are in the library, so CUTE_NET_IMPLEMENTATION defines none. It brings the standard headers
 * that it brings in the original, which programs have come to rely on.
 */
#if defined(CUTE_NET_IMPLEMENTATION) && !defined(CUTE_NET_IMPLEMENTATION_ONCE)
#define CUTE_NET_IMPLEMENTATION_ONCE

#include <assert.h>
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#endif /* CUTE_NET_IMPLEMENTATION */
