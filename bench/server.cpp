// An echo server on Boost.Beast, as its documentation advises: asynchronous,
// one io_context, one session object a connection, a flat_buffer read into
// and written out of; TLS 1.3, TCP_NODELAY, no permessage-deflate.
//
//   server CERT KEY      prints `ready PORT`, serves until it is killed

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>

#include <cstddef>
#include <cstdio>
#include <exception>
#include <memory>
#include <utility>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;
using error_code = beast::error_code;

namespace {

class session : public std::enable_shared_from_this<session> {
public:
  session(tcp::socket socket, asio::ssl::context &tls)
      : ws_(std::move(socket), tls) {
    ws_.read_message_max(64 << 20);
    websocket::permessage_deflate none;
    none.server_enable = false;
    none.client_enable = false;
    ws_.set_option(none);
    ws_.set_option(
        websocket::stream_base::timeout::suggested(beast::role_type::server));
    // A message is one frame, as the other server and all clients send it.
    ws_.auto_fragment(false);
  }

  void start() {
    ws_.next_layer().async_handshake(
        asio::ssl::stream_base::server,
        [self = shared_from_this()](error_code error) {
          if (!error) self->accept();
        });
  }

private:
  void accept() {
    ws_.async_accept([self = shared_from_this()](error_code error) {
      if (!error) self->read();
    });
  }

  void read() {
    ws_.async_read(buffer_, [self = shared_from_this()](error_code error,
                                                        std::size_t) {
      if (!error) self->write();
    });
  }

  void write() {
    ws_.text(ws_.got_text());
    ws_.async_write(buffer_.data(), [self = shared_from_this()](
                                        error_code error, std::size_t) {
      if (error) return;
      self->buffer_.consume(self->buffer_.size());
      self->read();
    });
  }

  websocket::stream<beast::ssl_stream<beast::tcp_stream>> ws_;
  beast::flat_buffer buffer_;
};

void serve(tcp::acceptor &acceptor, asio::ssl::context &tls) {
  acceptor.async_accept(
      [&acceptor, &tls](error_code error, tcp::socket socket) {
        if (!error) {
          socket.set_option(tcp::no_delay(true), error);
          std::make_shared<session>(std::move(socket), tls)->start();
        }
        serve(acceptor, tls);
      });
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s CERT KEY\n", argv[0]);
    return 2;
  }
  try {
    asio::io_context loop(1);
    asio::ssl::context tls(asio::ssl::context::tlsv13_server);
    // Left to themselves, clients would not all take the same one.
    SSL_CTX_set_ciphersuites(tls.native_handle(), "TLS_AES_256_GCM_SHA384");
    tls.use_certificate_chain_file(argv[1]);
    tls.use_private_key_file(argv[2], asio::ssl::context::pem);
    tcp::acceptor acceptor(
        loop, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    serve(acceptor, tls);
    std::printf("ready %d\n", acceptor.local_endpoint().port());
    std::fflush(stdout);
    loop.run();
  } catch (const std::exception &problem) {
    std::fprintf(stderr, "%s: %s\n", argv[0], problem.what());
    return 1;
  }
  return 0;
}
