/// The version of this header; `cnx_version` tells that of the library.
#define CNX_VERSION "@VERSION@"

/// When messages leave.
typedef enum cnx_send_mode_t
{
    CNX_SEND_IMMEDIATE = 0, /* an unreliable packet inside the call, a reliable one at the next update */
    CNX_SEND_BATCHED   = 1, /* at the next flush, update, disconnect or stop, whichever is first */
    CNX_SEND_THREADED  = 2  /* the same, and a thread of the library makes a server's system calls */
} cnx_send_mode_t;

/// How a message of `cnx_client_send_with` and `cnx_server_send_with` is delivered.
typedef enum cnx_delivery_t
{
    CNX_DELIVERY_RELIABLE_ORDERED     = 0, /* once, complete, after every earlier such message of its channel */
    CNX_DELIVERY_RELIABLE_UNORDERED   = 1, /* once and complete, as soon as it is there */
    CNX_DELIVERY_UNRELIABLE           = 2, /* perhaps; a later one may come first */
    CNX_DELIVERY_UNRELIABLE_SEQUENCED = 3  /* perhaps, and never after a later such message of its channel */
} cnx_delivery_t;

/// How much a log message matters.
typedef enum cnx_log_level_t
{
    CNX_LOG_ERROR   = 1, /* something does not work */
    CNX_LOG_WARNING = 2, /* something will not work as asked */
    CNX_LOG_INFO    = 3, /* something happened that happens rarely */
    CNX_LOG_DEBUG   = 4  /* everything else, among it every datagram dropped */
} cnx_log_level_t;
