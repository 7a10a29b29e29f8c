// Boost.Beast, as its documentation advises: asynchronous, one io_context and
// one thread, one session object a connection, a flat_buffer read into and
// written out of; for many receivers its chat example's queue of shared
// messages. TCP_NODELAY, and a message is one frame.
//
//   beast MODE PORT EXTENSION [CERT KEY]      prints `ready PORT`

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;
using error_code = beast::error_code;

namespace {

bool fanout;
bool deflate;

template <class Transport>
class session : public std::enable_shared_from_this<session<Transport>> {
public:
  template <class... Args>
  explicit session(Args &&...args) : ws_(std::forward<Args>(args)...) {
    ws_.read_message_max(64 << 20);
    websocket::permessage_deflate extension;
    extension.server_enable = deflate;
    extension.compLevel = 6;
    extension.memLevel = 8;
    ws_.set_option(extension);
    ws_.set_option(
        websocket::stream_base::timeout::suggested(beast::role_type::server));
    ws_.auto_fragment(false);
  }

  ~session() { everybody.erase(this); }

  void accept() {
    beast::get_lowest_layer(ws_).expires_never();
    ws_.async_accept([self = this->shared_from_this()](error_code error) {
      if (error) return;
      if (fanout) everybody.insert(self.get());
      self->read();
    });
  }

  void shake() {
    ws_.next_layer().async_handshake(
        asio::ssl::stream_base::server,
        [self = this->shared_from_this()](error_code error) {
          if (!error) self->accept();
        });
  }

private:
  struct message {
    bool text;
    std::string data;
  };

  void read() {
    ws_.async_read(buffer_, [self = this->shared_from_this()](
                                error_code error, std::size_t) {
      if (error) return;
      if (fanout) {
        self->publish();
      } else {
        self->echo();
      }
    });
  }

  void echo() {
    ws_.text(ws_.got_text());
    ws_.async_write(buffer_.data(), [self = this->shared_from_this()](
                                        error_code error, std::size_t) {
      if (error) return;
      self->buffer_.consume(self->buffer_.size());
      self->read();
    });
  }

  void publish() {
    auto all = std::make_shared<message const>(
        message{ws_.got_text(), beast::buffers_to_string(buffer_.data())});
    buffer_.consume(buffer_.size());
    for (session *other : everybody) other->send(all);
    read();
  }

  void send(std::shared_ptr<message const> const &one) {
    queue_.push_back(one);
    if (queue_.size() == 1) write();
  }

  void write() {
    ws_.text(queue_.front()->text);
    ws_.async_write(asio::buffer(queue_.front()->data),
                    [self = this->shared_from_this()](error_code error,
                                                      std::size_t) {
                      if (error) return;
                      self->queue_.pop_front();
                      if (!self->queue_.empty()) self->write();
                    });
  }

  static std::unordered_set<session *> everybody;
  websocket::stream<Transport> ws_;
  beast::flat_buffer buffer_;
  std::deque<std::shared_ptr<message const>> queue_;
};

template <class Transport>
std::unordered_set<session<Transport> *> session<Transport>::everybody;

using plain = session<beast::tcp_stream>;
using secure = session<beast::ssl_stream<beast::tcp_stream>>;

void serve(tcp::acceptor &acceptor, asio::ssl::context *tls) {
  acceptor.async_accept([&acceptor, tls](error_code error,
                                         tcp::socket socket) {
    if (!error) {
      socket.set_option(tcp::no_delay(true), error);
      if (tls != nullptr) {
        std::make_shared<secure>(std::move(socket), *tls)->shake();
      } else {
        std::make_shared<plain>(std::move(socket))->accept();
      }
    }
    serve(acceptor, tls);
  });
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 4 && argc != 6) {
    std::fprintf(stderr, "usage: %s MODE PORT EXTENSION [CERT KEY]\n",
                 argv[0]);
    return 2;
  }
  fanout = std::strcmp(argv[1], "fanout") == 0;
  deflate = std::strcmp(argv[3], "deflate") == 0;
  try {
    asio::io_context loop(1);
    asio::ssl::context tls(asio::ssl::context::tlsv13_server);
    if (argc == 6) {
      tls.use_certificate_chain_file(argv[4]);
      tls.use_private_key_file(argv[5], asio::ssl::context::pem);
    }
    tcp::acceptor acceptor(
        loop, tcp::endpoint(asio::ip::address_v4::loopback(),
                            static_cast<unsigned short>(std::atoi(argv[2]))));
    serve(acceptor, argc == 6 ? &tls : nullptr);
    std::printf("ready %d\n", acceptor.local_endpoint().port());
    std::fflush(stdout);
    loop.run();
  } catch (const std::exception &problem) {
    std::fprintf(stderr, "%s: %s\n", argv[0], problem.what());
    return 1;
  }
  return 0;
}
