/* Addresses as text and back. D09: every text is read whole or refused. D10: no buffer is too small. */
#include "check.h"

static void reads(const char* text, cn_address_type_t type, int port, const char* printed)
{
    cn_endpoint_t endpoint;
    char buffer[64];
    CHECK(cn_endpoint_init(&endpoint, text) == 0);
    CHECK(endpoint.type == type && endpoint.port == port);
    cn_endpoint_to_string(endpoint, buffer, (int)sizeof(buffer));
    if (strcmp(buffer, printed) != 0) {
        fprintf(stderr, "%s: %s\n", text, buffer);
        exit(1);
    }
}

static void refuses(const char* text)
{
    cn_endpoint_t endpoint;
    char buffer[64];
    memset(&endpoint, 0x55, sizeof(endpoint));
    CHECK(cn_endpoint_init(&endpoint, text) == -1);
    CHECK(endpoint.type == CN_ADDRESS_TYPE_NONE);
    cn_endpoint_to_string(endpoint, buffer, (int)sizeof(buffer));
    CHECK(strcmp(buffer, "INVALID ADDRESS") == 0);
    CHECK(!cn_endpoint_equals(endpoint, endpoint));
}

int main(void)
{
    cn_endpoint_t a, b;
    int size;
    use_everything();
    reads("127.0.0.1", CN_ADDRESS_TYPE_IPV4, 0, "127.0.0.1");
    reads("127.0.0.1:5000", CN_ADDRESS_TYPE_IPV4, 5000, "127.0.0.1:5000");
    reads("::1", CN_ADDRESS_TYPE_IPV6, 0, "::1");
    reads("[::1]:5000", CN_ADDRESS_TYPE_IPV6, 5000, "[::1]:5000");
    reads("[2001:0db8:85a3:0000:0000:8a2e:0370:7334]:65535", CN_ADDRESS_TYPE_IPV6, 65535,
        "[2001:db8:85a3::8a2e:370:7334]:65535");
    refuses("");
    refuses("[");
    refuses("[::1]");
    refuses("localhost:5000");
    refuses("1.2.3.4:65536");
    refuses(NULL);
    CHECK(cn_endpoint_init(NULL, "127.0.0.1") == -1);

    CHECK(cn_endpoint_init(&a, "10.1.2.3:77") == 0);
    CHECK(a.u.ipv4[0] == 10 && a.u.ipv4[1] == 1 && a.u.ipv4[2] == 2 && a.u.ipv4[3] == 3);
    CHECK(cn_endpoint_init(&b, "10.1.2.3:77") == 0);
    CHECK(cn_endpoint_equals(a, b) == 1);
    b.port = 78;
    CHECK(cn_endpoint_equals(a, b) == 0);
    CHECK(cn_endpoint_init(&b, "[2001:db8::ff]:77") == 0);
    CHECK(b.u.ipv6[0] == 0x2001 && b.u.ipv6[1] == 0x0db8 && b.u.ipv6[7] == 0xff);
    CHECK(cn_endpoint_equals(a, b) == 0);

    /* However small the buffer, nothing behind it is written, and the text ends. */
    for (size = -1; size < 24; ++size) {
        char buffer[32];
        memset(buffer, '#', sizeof(buffer));
        cn_endpoint_to_string(b, buffer, size);
        if (size > 0) {
            CHECK(memchr(buffer, 0, (size_t)size) != NULL);
            CHECK(strncmp("[2001:db8::ff]:77", buffer, strlen(buffer)) == 0);
        }
        CHECK(buffer[size > 0 ? size : 0] == '#');
    }
    cn_endpoint_to_string(a, NULL, 10);
    a.type = (cn_address_type_t)99;
    CHECK(!cn_endpoint_equals(a, a));
    return 0;
}
