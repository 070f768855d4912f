/// The version of this header; `cnx_version` tells that of the library.
#define CNX_VERSION "@VERSION@"

/// When messages leave.
typedef enum cnx_send_mode_t
{
    CNX_SEND_IMMEDIATE = 0, /* an unreliable packet inside the call, a reliable one at the next update */
    CNX_SEND_BATCHED   = 1  /* at the next flush, update, disconnect or stop, whichever is first */
} cnx_send_mode_t;

/// How much a log message matters.
typedef enum cnx_log_level_t
{
    CNX_LOG_ERROR   = 1, /* something does not work */
    CNX_LOG_WARNING = 2, /* something will not work as asked */
    CNX_LOG_INFO    = 3, /* something happened that happens rarely */
    CNX_LOG_DEBUG   = 4  /* everything else, among it every datagram dropped */
} cnx_log_level_t;
