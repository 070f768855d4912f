/* What the header's macros must take: the header twice, first plainly; results of any name; values that are
 * no preprocessor numbers. */
#define MANY ((int)64)
#define CN_SERVER_MAX_CLIENTS MANY
#include "cute_net.h"
#define CUTE_NET_IMPLEMENTATION
#include "cute_net.h"

/* With nothing else included: what CUTE_NET_IMPLEMENTATION brings along. */
static int of_the_standard_headers(void)
{
    char text[64];
    char* copy = (char*)malloc(sizeof(text));
    assert(copy != NULL);
    errno = 0;
    snprintf(text, sizeof(text), "%" PRIu64 " %d %g", UINT64_C(5), INT_MAX, (double)FLT_MAX);
    memcpy(copy, text, sizeof(text));
    if (strlen(copy) == 0) abort();
    free(copy);
    return errno;
}

#include "check.h"

static cn_result_t passes_on(cn_result_t result)
{
    cn_result_t err = result;
    CN_RETURN_IF_ERROR(result);
    CN_RETURN_IF_ERROR(err);
    return cn_error_success();
}

CN_INLINE int twice(int number)
{
    return 2 * number;
}

int main(void)
{
    cn_server_t* (*plain)(cn_server_config_t) = &cn_server_create;
    cn_server_config_t config = cn_server_config_defaults();
    cn_server_t* server = cn_server_create(config);
    use_everything();
    CHECK(cnx_server_max_clients(server) == 64);
    cn_server_destroy(server);
    server = plain(config);
    CHECK(cnx_server_max_clients(server) == 32);
    cn_server_destroy(server);
#if !defined(__cplusplus)
    server = cn_server_create((cn_server_config_t) { .application_id = 1, .connection_timeout = 5 });
    CHECK(cnx_server_max_clients(server) == 64);
    cn_server_destroy(server);
#endif
    CHECK(passes_on(cn_error_failure("no")).code == CN_ERROR_FAILURE);
    CHECK(strcmp(passes_on(cn_error_failure("no")).details, "no") == 0);
    CHECK(passes_on(cn_error_success()).code == CN_ERROR_SUCCESS);
    CHECK(CN_MB == 1024 * CN_KB && CN_CRYPTO_HEADER_BYTES == 36 && twice(2) == 4);
    CHECK(of_the_standard_headers() == 0);
    return 0;
}
