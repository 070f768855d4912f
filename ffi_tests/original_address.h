/*
 * Comes ahead of the examples of the original's repository (-include), whose text names two addresses of their
 * author's. The functions that take an address get that of the environment variable EXAMPLE_ADDRESS instead.
 * EXAMPLE_HEADER is the cute_net.h that the example includes.
 */
#define CUTE_NET_IMPLEMENTATION
#include EXAMPLE_HEADER

static const char** example_addresses(void)
{
    static const char* list[1];
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* whoever reads it wants to see it now */
    list[0] = getenv("EXAMPLE_ADDRESS");
    if (list[0] == NULL) exit(2);
    return list;
}

#define cn_endpoint_init(endpoint, address) cn_endpoint_init(endpoint, example_addresses()[0])
#define cn_server_start(server, address) cn_server_start(server, example_addresses()[0])
#define cn_generate_connect_token(id, made, up, down, end, timeout, count, list, client, data, secret, token) \
    cn_generate_connect_token(id, made, up, down, end, timeout, count, example_addresses(), client, data, secret, token)
