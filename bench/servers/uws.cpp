// µWS 0.14.5, of npm's package uws (its C++ sources, on libuv):
// uws MODE PORT EXTENSION [CERT KEY]. bench/README.md says what the servers do
// and print.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <uWS.h>

namespace {

int find_port(uWS::Hub &hub, uS::TLS::Context context, int wanted) {
  int port = wanted;

  // It does not tell which one the kernel picked: look for one that is free.
  if (port != 0) return hub.listen("127.0.0.1", port, context) ? port : 0;
  for (port = 20000 + getpid() % 10000; port < 32768; port++) {
    if (hub.listen("127.0.0.1", port, context)) return port;
  }
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  using socket = uWS::WebSocket<uWS::SERVER>;
  if (argc != 4 && argc != 6) {
    std::fprintf(stderr, "usage: %s MODE PORT EXTENSION [CERT KEY]\n",
                 argv[0]);
    return 2;
  }
  unsigned options = uWS::NO_DELAY;
  if (std::strcmp(argv[3], "deflate") == 0) {
    options |= uWS::PERMESSAGE_DEFLATE | uWS::SERVER_NO_CONTEXT_TAKEOVER |
               uWS::CLIENT_NO_CONTEXT_TAKEOVER;
  }
  uWS::Hub hub(static_cast<int>(options), false, 64 << 20);
  if (std::strcmp(argv[1], "fanout") == 0) {
    hub.onMessage([&hub](socket *, char *data, size_t size,
                         uWS::OpCode kind) {
      hub.getDefaultGroup<uWS::SERVER>().broadcast(data, size, kind);
    });
  } else {
    hub.onMessage([](socket *ws, char *data, size_t size, uWS::OpCode kind) {
      ws->send(data, size, kind);
    });
  }
  uS::TLS::Context context;
  if (argc == 6) context = uS::TLS::createContext(argv[4], argv[5]);
  int port = find_port(hub, context, std::atoi(argv[2]));
  if (port == 0) return 1;
  std::printf("ready %d\n", port);
  std::fflush(stdout);
  hub.run();
  return 0;
}
