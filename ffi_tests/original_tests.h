/*
 * What those tests of the original that use nothing but its public functions need of the rest of its test
 * program. Comes ahead of their text; a main that runs them comes after it.
 */
#ifndef CN_PROTOCOL_CONNECT_TOKEN_USER_DATA_SIZE /* the original has these of its own */
#    define CN_PROTOCOL_CONNECT_TOKEN_USER_DATA_SIZE CN_CONNECT_TOKEN_USER_DATA_SIZE
#    define CN_MEMCMP memcmp
#    define CN_ALLOC(size, ctx) malloc(size)
#    define CN_FREE(memory, ctx) free(memory)
#endif

#define ORIGINAL_TEST(failed, text) \
    do { \
        if (failed) { \
            fprintf(stderr, "%s, line %d of the test: %s\n", __func__, __LINE__, text); \
            return -1; \
        } \
    } while (0)
#define CN_TEST_ASSERT(condition) ORIGINAL_TEST(!(condition), #condition)
#define CN_TEST_CHECK(condition) ORIGINAL_TEST(condition, #condition)
