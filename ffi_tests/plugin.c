/* A plugin host: it is not linked with the library, loads it, plays, and unloads it, again and again, also on threads
 * that end, and forks in between. The path of the library is the first argument. */
#include "cute_net.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char* path;

#define FAIL_IF(condition) \
    do { \
        if (condition) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            exit(1); \
        } \
    } while (0)

/* The functions that are used, found by name. */
static void* find(void* library, const char* name)
{
    void* symbol = dlsym(library, name);
    if (symbol == NULL) fprintf(stderr, "%s\n", dlerror());
    FAIL_IF(symbol == NULL);
    return symbol;
}
#define FIND(function) \
    do { \
        void* found = find(library, #function); \
        memcpy(&its_##function, &found, sizeof(found)); \
    } while (0)

static void* play(void* unused)
{
    cn_server_config_t (*its_cn_server_config_defaults)(void);
    void (*its_cn_crypto_sign_keygen)(cn_crypto_sign_public_t*, cn_crypto_sign_secret_t*);
    cn_server_t* (*its_cn_server_create)(cn_server_config_t);
    cn_result_t (*its_cn_server_start)(cn_server_t*, const char*);
    void (*its_cn_server_update)(cn_server_t*, double, uint64_t);
    void (*its_cn_server_destroy)(cn_server_t*);
    cn_client_t* (*its_cn_client_create)(uint16_t, uint64_t, bool, void*);
    void (*its_cn_client_destroy)(cn_client_t*);
    cn_server_config_t config;
    cn_server_t* server;
    cn_result_t result;
    void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) fprintf(stderr, "%s\n", dlerror());
    FAIL_IF(library == NULL);
    FIND(cn_server_config_defaults);
    FIND(cn_crypto_sign_keygen);
    FIND(cn_server_create);
    FIND(cn_server_start);
    FIND(cn_server_update);
    FIND(cn_server_destroy);
    FIND(cn_client_create);
    FIND(cn_client_destroy);
    config = its_cn_server_config_defaults();
    its_cn_crypto_sign_keygen(&config.public_key, &config.secret_key);
    server = its_cn_server_create(config);
    result = its_cn_server_start(server, "127.0.0.1:0");
    FAIL_IF(result.code != 0);
    result = its_cn_server_start(server, "127.0.0.1:0");
    FAIL_IF(result.code != -1 || result.details == NULL);
    its_cn_server_update(server, 0.1, 1);
    its_cn_client_destroy(its_cn_client_create(0, 1, false, NULL));
    its_cn_server_destroy(server);
    FAIL_IF(dlclose(library) != 0);
    return unused;
}

int main(int argc, char** argv)
{
    int round;
    FAIL_IF(argc != 2);
    path = argv[1];
    for (round = 0; round < 10; ++round) {
        pthread_t thread;
        pid_t copy;
        int status;
        if (round > 0) play(NULL); /* the first to load it is a thread that ends */
        FAIL_IF(pthread_create(&thread, NULL, play, NULL) != 0 || pthread_join(thread, NULL) != 0);
        copy = fork();
        FAIL_IF(copy < 0);
        if (copy == 0) {
            play(NULL);
            _exit(0);
        }
        FAIL_IF(waitpid(copy, &status, 0) != copy || status != 0);
    }
    return 0;
}
