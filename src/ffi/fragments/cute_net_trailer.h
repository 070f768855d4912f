/* A program that chose its own CN_SERVER_MAX_CLIENTS. A function-like macro leaves `&cn_server_create` alone. */
#ifndef cn_server_create
#    if !defined(CNX_SERVER_MAX_CLIENTS_UNSET)
#        define cn_server_create(...) cnx_server_create((__VA_ARGS__), CN_SERVER_MAX_CLIENTS)
#    elif CN_SERVER_MAX_CLIENTS != 32
#        define cn_server_create(...) cnx_server_create((__VA_ARGS__), CN_SERVER_MAX_CLIENTS)
#    endif
#endif

/* A program that wants IPv4 alone. */
#if defined(CUTE_NET_NO_IPV6) && !defined(cn_endpoint_init)
#    define cn_endpoint_init(...) cnx_ipv4_endpoint_init(__VA_ARGS__)
#    define cn_generate_connect_token(...) cnx_ipv4_generate_connect_token(__VA_ARGS__)
#    define cn_client_create(...) cnx_ipv4_client_create(__VA_ARGS__)
#    define cn_server_start(...) cnx_ipv4_server_start(__VA_ARGS__)
#    define cn_server_set_public_ip(...) cnx_ipv4_server_set_public_ip(__VA_ARGS__)
#endif

/* Names of the original that programs use and this library does not. */
#ifndef CN_NET_INTERNAL_H
#define CN_NET_INTERNAL_H

#define CN_CRYPTO_HEADER_BYTES ((int)(20 + 16))
#define CN_KB 1024
#define CN_MB (CN_KB * CN_KB)

#endif /* CN_NET_INTERNAL_H */

/*
 * The functions are in the library, so CUTE_NET_IMPLEMENTATION defines none. It brings the standard headers
 * that it brings in the original, which programs have come to rely on, and registers the program's
 * allocator.
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

#if defined(CN_ALLOC) && defined(CN_FREE)

static void* cnx_alloc_of_program(size_t size, void* ctx)
{
    (void)ctx;
    return CN_ALLOC(size, ctx);
}

static void cnx_free_of_program(void* memory, void* ctx)
{
    (void)ctx;
    CN_FREE(memory, ctx);
}

/* Before `main`, by what the compiler offers for it. */
#if defined(__cplusplus)
static const bool cnx_allocator_registered =
    (cnx_set_allocator(cnx_alloc_of_program, cnx_free_of_program), true);
#elif defined(_MSC_VER)
static void cnx_register_allocator(void) { cnx_set_allocator(cnx_alloc_of_program, cnx_free_of_program); }
/* Of several files that do this the linker keeps the pointer of one, and the pragma makes it keep that. */
#pragma section(".CRT$XCU", read)
__declspec(allocate(".CRT$XCU")) __declspec(selectany)
void (*cnx_register_allocator_at_start)(void) = cnx_register_allocator;
#    if defined(_M_IX86)
#        pragma comment(linker, "/include:_cnx_register_allocator_at_start")
#    else
#        pragma comment(linker, "/include:cnx_register_allocator_at_start")
#    endif
#else
__attribute__((constructor)) static void cnx_register_allocator(void)
{
    cnx_set_allocator(cnx_alloc_of_program, cnx_free_of_program);
}
#endif

#endif /* CN_ALLOC and CN_FREE */

#endif /* CUTE_NET_IMPLEMENTATION */
