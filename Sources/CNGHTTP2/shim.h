// nghttp2, the system's: HTTP/2 frames and HPACK.
#include <nghttp2/nghttp2.h>
