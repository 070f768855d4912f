/* Making connect tokens: every wrong input is a named error and leaves the buffer zeroed. D08: so are more
   addresses than fit. */
#include "check.h"

static cn_crypto_sign_secret_t secret;
static uint8_t token[CN_CONNECT_TOKEN_SIZE];

static cn_result_t generate(int count, const char** list, uint64_t creation, uint64_t expiration)
{
    cn_crypto_key_t up = cn_crypto_generate_key();
    cn_crypto_key_t down = cn_crypto_generate_key();
    memset(token, 0xAA, sizeof(token));
    return cn_generate_connect_token(APPLICATION_ID, creation, &up, &down, expiration, 5, count, list, 1, NULL,
        &secret, token);
}

static bool is_zeroed(void)
{
    size_t i;
    for (i = 0; i < sizeof(token); ++i)
        if (token[i] != 0) return false;
    return true;
}

int main(void)
{
    cn_crypto_sign_public_t public_key;
    const char* v4[40];
    const char* v6[40];
    const char* bad[2];
    int i;
    use_everything();
    cn_crypto_sign_keygen(&public_key, &secret);
    CHECK(memcmp(secret.key + 32, public_key.key, 32) == 0);
    for (i = 0; i < 40; ++i) {
        v4[i] = "203.0.113.7:5000";
        v6[i] = "[2001:db8::7]:5000";
    }

    CHECK_OK(generate(32, v4, 0, 1));
    CHECK(memcmp(token, PROTOCOL, 10) == 0);
    CHECK_OK(generate(28, v6, 0, 1));
    CHECK_FAILS(generate(0, v4, 0, 1), "A connect token needs at least one server address.");
    CHECK(is_zeroed());
    CHECK_FAILS(generate(-1, v4, 0, 1), "A connect token needs at least one server address. `address_count` is -1.");
    CHECK_FAILS(generate(33, v4, 0, 1), "A connect token lists at most 32 server addresses, not 33.");
    CHECK(is_zeroed());
    CHECK_FAILS(generate(2147483647, v4, 0, 1), "A connect token lists at most 32");
    /* A number that was never set: no list has so many, and this one is not read. */
    bad[0] = NULL;
    CHECK_FAILS(generate(33, bad, 0, 1), "A connect token lists at most 32 server addresses, not 33.");
    CHECK_FAILS(generate(29, v6, 0, 1), "The server addresses take 551 bytes of the 533");
    CHECK(is_zeroed());
    CHECK_FAILS(generate(1, NULL, 0, 1), "`address_list` is NULL.");
    bad[0] = "203.0.113.7:5000";
    bad[1] = "nonsense:5000";
    CHECK_FAILS(generate(2, bad, 0, 1), "Unable to initialize endpoint. Address 2 of 2, \"nonsense:5000\":");
    CHECK(is_zeroed());
    bad[1] = NULL;
    CHECK_FAILS(generate(2, bad, 0, 1), "Unable to initialize endpoint. Address 2 of 2 is NULL.");
    bad[1] = "\xFF\xFE";
    CHECK_FAILS(generate(2, bad, 0, 1), "Unable to initialize endpoint. Address 2 of 2,");
    CHECK_FAILS(generate(1, v4, 100, 100), "The token's expiration (100) must be later than its creation (100)");
    CHECK(is_zeroed());
    CHECK_FAILS(generate(1, v4, 100, 99), "The token's expiration (99)");

    {
        cn_crypto_key_t key = cn_crypto_generate_key();
        cn_crypto_sign_secret_t unset;
        CHECK_FAILS(cn_generate_connect_token(1, 0, NULL, &key, 1, 5, 1, v4, 1, NULL, &secret, token), "`client_to_server_key` is NULL");
        CHECK_FAILS(cn_generate_connect_token(1, 0, &key, NULL, 1, 5, 1, v4, 1, NULL, &secret, token), "`server_to_client_key` is NULL");
        CHECK_FAILS(cn_generate_connect_token(1, 0, &key, &key, 1, 5, 1, v4, 1, NULL, NULL, token), "`shared_secret_key`");
        CHECK_FAILS(cn_generate_connect_token(1, 0, &key, &key, 1, 5, 1, v4, 1, NULL, &secret, NULL), "`token_ptr_out`");
        CHECK(is_zeroed());
        secret.key[40] ^= 1;
        CHECK_FAILS(generate(1, v4, 0, 1), "The secret key is damaged or of another kind");
        CHECK(is_zeroed());
        secret.key[40] ^= 1;
        memset(&unset, 0, sizeof(unset));
        CHECK_FAILS(cn_generate_connect_token(1, 0, &key, &key, 1, 5, 1, v4, 1, NULL, &unset, token),
            "The secret key is not set, but all zeros: pass the two halves");
    }

    /* What goes in may lie where the token comes out. */
    {
        cn_crypto_key_t up = cn_crypto_generate_key(), down = cn_crypto_generate_key();
        uint8_t* place = token;
        memcpy(place, &up, sizeof(up));
        memcpy(place + 32, &down, sizeof(down));
        memcpy(place + 64, &secret, sizeof(secret));
        CHECK_OK(cn_generate_connect_token(APPLICATION_ID, 0, (cn_crypto_key_t*)(void*)place,
            (cn_crypto_key_t*)(void*)(place + 32), 1, 5, 1, v4, 1, NULL,
            (cn_crypto_sign_secret_t*)(void*)(place + 64), token));
        CHECK(memcmp(token + 26, &up, sizeof(up)) == 0 && memcmp(token + 58, &down, sizeof(down)) == 0);
    }

    /* A client refuses what it can see is wrong. */
    {
        cn_client_t* client = cn_client_create(0, APPLICATION_ID, true, NULL);
        cn_client_t* other = cn_client_create(0, APPLICATION_ID + 1, false, NULL);
        CHECK_OK(generate(1, v4, 0, 1));
        CHECK_FAILS(cn_client_connect(other, token), "Invalid connect token.");
        CHECK(cn_client_state_get(other) == CN_CLIENT_STATE_INVALID_CONNECT_TOKEN);
        token[0] = 'X';
        CHECK_FAILS(cn_client_connect(client, token), "Invalid connect token.");
        CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_INVALID_CONNECT_TOKEN);
        CHECK_OK(generate(1, v4, 0, 1));
        CHECK_OK(cn_client_connect(client, token));
        cn_client_destroy(client);
        cn_client_destroy(other);
    }
    return 0;
}
