// Boost.Beast's client, asynchronous: beast URL CA SIZE WINDOW SECONDS.
// It verifies the chain and the name, reads into one flat_buffer, and writes
// one message after the other from a count of those that are due.
// bench/README.md says what the clients do and print.

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <stdexcept>
#include <string>
#include <vector>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using clock_type = std::chrono::steady_clock;
using error_code = beast::error_code;
using tcp = asio::ip::tcp;

namespace {

constexpr std::size_t kinds = 16, every = 17;
constexpr auto warm = std::chrono::milliseconds(300);

void must(error_code error) {
  if (error) throw beast::system_error(error);
}

double used() {
  std::timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

class client {
public:
  client(asio::io_context &loop, asio::ssl::context &tls, std::size_t size,
         std::size_t window, double seconds)
      : size_(size), window_(window), seconds_(seconds), loop_(loop),
        timer_(loop), ws_(loop, tls) {
    for (std::size_t i = 0; i < kinds; i++) {
      payloads_.emplace_back(size - 1, static_cast<char>('A' + i));
      payloads_.back() += '\n';
    }
  }

  void open(std::string const &host, std::string const &port) {
    tcp::resolver resolver(loop_);
    auto &socket = beast::get_lowest_layer(ws_);
    socket.connect(resolver.resolve(host, port));
    socket.socket().set_option(tcp::no_delay(true));
    socket.expires_never();
    auto *ssl = ws_.next_layer().native_handle();
    if (SSL_set_tlsext_host_name(ssl, host.c_str()) != 1) {
      throw std::runtime_error("SNI");
    }
    ws_.next_layer().set_verify_callback(
        asio::ssl::host_name_verification(host));
    ws_.next_layer().handshake(asio::ssl::stream_base::client);
    ws_.set_option(
        websocket::stream_base::timeout::suggested(beast::role_type::client));
    ws_.read_message_max(64 << 20);
    ws_.auto_fragment(false);
    ws_.write_buffer_bytes(16 << 10); // a record; 4 KiB take twice as long
    ws_.binary(true);
    ws_.handshake(host + ":" + port, "/");
  }

  void begin() {
    due_ = window_;
    write();
    read();
    timer_.expires_after(warm);
    timer_.async_wait([this](error_code error) {
      must(error);
      std::puts("begin");
      std::fflush(stdout);
      messages_ = received_;
      wall_ = clock_type::now();
      cpu_ = used();
      timer_.expires_after(
          std::chrono::microseconds(static_cast<long>(seconds_ * 1e6)));
      timer_.async_wait([this](error_code error) {
        must(error);
        end();
      });
    });
  }

  bool whole() const { return received_ == sent_ && closed_; }

private:
  void end() {
    std::chrono::duration<double> passed = clock_type::now() - wall_;
    std::printf("{\"messages\":%zu,\"seconds\":%.6f,\"cpu\":%.6f}\n",
                received_ - messages_, passed.count(), used() - cpu_);
    std::fflush(stdout);
    ending_ = true;
    due_ = 0;
  }

  void write() {
    if (writing_ || due_ == 0) return;
    writing_ = true;
    due_--;
    ws_.async_write(asio::buffer(payloads_[sent_++ % kinds]),
                    [this](error_code error, std::size_t) {
                      must(error);
                      writing_ = false;
                      write();
                    });
  }

  void read() {
    ws_.async_read(buffer_, [this](error_code error, std::size_t got) {
      must(error);
      if (got != size_) throw std::runtime_error("another length");
      if (received_ % every == 0 &&
          std::memcmp(buffer_.data().data(),
                      payloads_[received_ % kinds].data(), size_) != 0) {
        throw std::runtime_error("another payload");
      }
      buffer_.consume(got);
      received_++;
      if (!ending_) {
        due_++;
        write();
      } else if (received_ == sent_) {
        ws_.async_close(websocket::close_code::normal,
                        [this](error_code) { closed_ = true; });
        return;
      }
      read();
    });
  }

  std::size_t size_, window_;
  double seconds_;
  asio::io_context &loop_;
  asio::steady_timer timer_;
  websocket::stream<beast::ssl_stream<beast::tcp_stream>> ws_;
  beast::flat_buffer buffer_;
  std::vector<std::string> payloads_;
  std::size_t sent_ = 0, received_ = 0, due_ = 0, messages_ = 0;
  bool writing_ = false, ending_ = false, closed_ = false;
  clock_type::time_point wall_;
  double cpu_ = 0;
};

} // namespace

int main(int argc, char **argv) {
  std::string const scheme = "wss://";
  std::string url = argc == 6 ? argv[1] : "";
  std::size_t colon = url.rfind(':');
  if (url.compare(0, scheme.size(), scheme) != 0 || colon < scheme.size()) {
    std::fprintf(stderr, "usage: %s URL CA SIZE WINDOW SECONDS\n", argv[0]);
    return 2;
  }
  std::string host = url.substr(scheme.size(), colon - scheme.size());
  std::string port = url.substr(colon + 1);
  port.resize(port.find('/'));
  try {
    asio::io_context loop(1);
    asio::ssl::context tls(asio::ssl::context::tlsv13_client);
    tls.load_verify_file(argv[2]);
    tls.set_verify_mode(asio::ssl::verify_peer);
    client one(loop, tls, std::strtoul(argv[3], nullptr, 10),
               std::strtoul(argv[4], nullptr, 10), std::atof(argv[5]));
    one.open(host, port);
    one.begin();
    loop.run();
    if (!one.whole()) throw std::runtime_error("messages are missing");
  } catch (std::exception const &problem) {
    std::fprintf(stderr, "%s: %s\n", argv[0], problem.what());
    return 1;
  }
  return 0;
}
