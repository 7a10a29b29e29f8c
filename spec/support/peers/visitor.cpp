// An independent WebSocket client: Boost.Beast, used as its documentation
// shows a synchronous client, one thread for each connection. Takes the words
// that visitor.py takes, and tells what that tells:
//
//   visitor URL FILE COURSE

#define BOOST_BIND_GLOBAL_PLACEHOLDERS // Boost 1.74 calls its own deprecated
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/property_tree/json_parser.hpp>
#include <boost/property_tree/ptree.hpp>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using boost::property_tree::ptree;
using tcp = asio::ip::tcp;

namespace {

struct place {
  bool secure;
  std::string host, port;
};

// JSON's own, for what may stand in a message.
std::string in_json(const std::string &text) {
  std::string out = "\"";
  char code[8];
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::snprintf(code, sizeof code, "\\u%04x", c);
      out += code;
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string payload(const std::string &kind, std::size_t size) {
  std::string data(size, '\0');
  for (std::size_t i = 0; i < size; i++) {
    const unsigned at = i % 251;
    data[i] = static_cast<char>(kind == "text" ? 97 + at * 7 % 26
                                               : at * 5 % 256);
  }
  return data;
}

std::vector<std::string> words(const ptree &list) {
  std::vector<std::string> out;
  for (const auto &item : list)
    out.push_back(item.second.data());
  return out;
}

std::string joined(const ptree &list) {
  std::string out;
  for (const std::string &word : words(list))
    out += (out.empty() ? "" : ", ") + word;
  return out;
}

// One connection, whatever it runs over.
template <class Stream> class visit {
public:
  visit(Stream &ws, const ptree &course) : ws_(ws), course_(course) {}

  void handshake(const std::string &host) {
    ws_.read_message_max(64 << 20);
    websocket::permessage_deflate offer;
    offer.client_enable = true;
    if (const auto asked = course_.get_child_optional("deflate")) {
      offer.server_no_context_takeover =
          asked->get("server_no_context_takeover", false);
      offer.client_no_context_takeover =
          asked->get("client_no_context_takeover", false);
      offer.server_max_window_bits = asked->get("server_max_window_bits", 15);
      offer.client_max_window_bits = asked->get("client_max_window_bits", 15);
    }
    ws_.set_option(offer);
    ws_.set_option(websocket::stream_base::decorator(
        [this](websocket::request_type &request) { decorate(request); }));
    ws_.control_callback([this](websocket::frame_type type,
                                beast::string_view data) {
      if (type == websocket::frame_type::pong)
        pong_ = std::string(data);
    });
    ws_.handshake(answer_, host, course_.get<std::string>("path"));
  }

  std::string subprotocol() const {
    const auto found = answer_.find("Sec-WebSocket-Protocol");
    return found == answer_.end() ? "null"
                                  : in_json(std::string(found->value()));
  }

  std::string step(const std::vector<std::string> &a) {
    if (a[0] == "echo")
      return echo(a[1], std::stoul(a[2]), a.size() > 3 ? std::stoul(a[3]) : 1);
    if (a[0] == "say")
      return in_json(say(a[1]));
    if (a[0] == "ping") {
      ws_.ping(websocket::ping_data(a[1].c_str()));
      say("what follows the pong");
      return in_json(pong_);
    }
    if (a[0] == "close")
      return close(a);
    if (a[0] == "wait")
      return wait();
    if (a[0] == "drop") {
      beast::get_lowest_layer(ws_).close();
      return "true";
    }
    throw std::runtime_error("no step is called " + a[0]);
  }

private:
  void decorate(websocket::request_type &request) const {
    if (const auto headers = course_.get_child_optional("headers"))
      for (const auto &item : *headers)
        request.set(item.first, item.second.data());
    if (const auto list = course_.get_child_optional("subprotocols"))
      request.set("Sec-WebSocket-Protocol", joined(*list));
  }

  std::string read() {
    beast::flat_buffer buffer;
    ws_.read(buffer);
    return beast::buffers_to_string(buffer.data());
  }

  std::string say(const std::string &text) {
    ws_.text(true);
    ws_.write(asio::buffer(text));
    return read();
  }

  std::string echo(const std::string &kind, std::size_t size,
                   std::size_t pieces) {
    const std::string data = payload(kind, size);
    const std::size_t step = size / pieces;
    ws_.binary(kind == "binary");
    ws_.auto_fragment(false);
    for (std::size_t i = 0; i < pieces; i++) {
      const bool last = i + 1 == pieces;
      ws_.write_some(last, asio::buffer(data.data() + i * step,
                                        last ? size - i * step : step));
    }
    const std::string answer = read();
    if (ws_.got_binary() != (kind == "binary"))
      throw std::runtime_error(kind + " came back as another kind");
    if (answer != data)
      throw std::runtime_error("other bytes came back");
    return "true";
  }

  std::string told() const {
    return "{\"code\": " + std::to_string(ws_.reason().code) +
           ", \"reason\": " + in_json(ws_.reason().reason.c_str()) + "}";
  }

  std::string close(const std::vector<std::string> &a) {
    websocket::close_reason reason;
    if (a.size() > 1)
      reason.code = static_cast<std::uint16_t>(std::stoul(a[1]));
    if (a.size() > 2)
      reason.reason = a[2].c_str();
    ws_.close(reason);
    return told();
  }

  std::string wait() {
    beast::error_code error;
    beast::flat_buffer buffer;
    ws_.read(buffer, error);
    if (error != websocket::error::closed)
      throw beast::system_error(error);
    return told();
  }

  Stream &ws_;
  const ptree &course_;
  websocket::response_type answer_;
  std::string pong_;
};

struct told {
  std::string opened, error;
  std::vector<std::string> steps;

  std::string json() const {
    std::string out = "{\"steps\": [", comma;
    for (const std::string &step : steps) {
      out += comma + step;
      comma = ", ";
    }
    out += "]";
    if (!opened.empty())
      out += ", \"opened\": " + opened;
    if (!error.empty())
      out += ", \"error\": " + in_json(error);
    return out + "}";
  }
};

template <class Stream>
void walk(Stream &ws, const ptree &course, const std::string &host,
          const std::string &tls, told &out) {
  visit<Stream> here(ws, course);
  here.handshake(host);
  out.opened = "{\"subprotocol\": " + here.subprotocol() + ", \"tls\": " +
               tls + "}";
  for (const auto &step : course.get_child("steps"))
    out.steps.push_back(here.step(words(step.second)));
}

std::string of_tls(SSL *ssl) {
  const unsigned char *alpn;
  unsigned size;
  SSL_get0_alpn_selected(ssl, &alpn, &size);
  return "{\"version\": " + in_json(SSL_get_version(ssl)) + ", \"alpn\": " +
         (size == 0 ? "null"
                    : in_json(std::string(alpn, alpn + size))) + "}";
}

void limit_to(asio::ssl::context &tls, const std::string &version) {
  const int number = version == "1.2" ? TLS1_2_VERSION : TLS1_3_VERSION;
  SSL_CTX_set_min_proto_version(tls.native_handle(), number);
  SSL_CTX_set_max_proto_version(tls.native_handle(), number);
}

void over_tls(asio::io_context &loop, const tcp::resolver::results_type &where,
              const place &to, const ptree &course, told &out) {
  const std::string name = course.get<std::string>("name", to.host);
  asio::ssl::context tls(asio::ssl::context::tls_client);
  tls.set_verify_mode(asio::ssl::verify_peer);
  tls.load_verify_file(course.get<std::string>("ca"));
  if (const auto version = course.get_optional<std::string>("version"))
    limit_to(tls, *version);
  if (const auto cert = course.get_optional<std::string>("cert")) {
    tls.use_certificate_chain_file(*cert);
    tls.use_private_key_file(course.get<std::string>("key"),
                             asio::ssl::context::pem);
  }
  websocket::stream<beast::ssl_stream<tcp::socket>> ws(loop, tls);
  ws.next_layer().set_verify_callback(
      asio::ssl::host_name_verification(name));
  SSL_set_tlsext_host_name(ws.next_layer().native_handle(), name.c_str());
  asio::connect(beast::get_lowest_layer(ws), where);
  ws.next_layer().handshake(asio::ssl::stream_base::client);
  walk(ws, course, to.host + ":" + to.port,
       of_tls(ws.next_layer().native_handle()), out);
}

told make(const place &to, const ptree &course) {
  told out;
  try {
    asio::io_context loop;
    tcp::resolver resolver(loop);
    const auto where = resolver.resolve(to.host, to.port);
    if (to.secure) {
      over_tls(loop, where, to, course, out);
    } else {
      websocket::stream<tcp::socket> ws(loop);
      asio::connect(ws.next_layer(), where);
      walk(ws, course, to.host + ":" + to.port, "null", out);
    }
  } catch (const std::exception &problem) {
    out.error = problem.what();
  }
  return out;
}

std::string make_all(const place &to, const ptree &course) {
  const std::size_t times = course.get<std::size_t>("times", 0);
  if (times == 0)
    return make(to, course).json();
  std::vector<told> every(times);
  std::vector<std::thread> threads;
  std::string problem;
  std::size_t served = 0;
  for (told &one : every)
    threads.emplace_back([&to, &course, &one] { one = make(to, course); });
  for (std::thread &thread : threads)
    thread.join();
  for (const told &one : every) {
    if (one.error.empty())
      served++;
    else
      problem = ", \"error\": " + in_json(one.error);
  }
  return "{\"served\": " + std::to_string(served) + problem + "}";
}

place parsed(const std::string &url) {
  const std::size_t at = url.find("://") + 3, colon = url.find(':', at);
  return {url.compare(0, 4, "wss:") == 0, url.substr(at, colon - at),
          url.substr(colon + 1)};
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 4) {
    std::cerr << "usage: visitor URL FILE COURSE\n";
    return 2;
  }
  ptree courses;
  std::istringstream text(argv[3]);
  boost::property_tree::read_json(text, courses);
  const place to = parsed(argv[1]);
  std::vector<std::string> results(courses.size());
  std::vector<std::thread> threads;
  std::size_t i = 0;
  for (const auto &course : courses) {
    std::string &result = results[i++];
    const ptree &one = course.second;
    threads.emplace_back([&to, &one, &result] { result = make_all(to, one); });
  }
  for (std::thread &thread : threads)
    thread.join();
  const std::string file = argv[2];
  {
    std::ofstream out(file + ".part");
    const char *comma = "[";
    for (const std::string &result : results) {
      out << comma << result;
      comma = ",\n";
    }
    out << "]\n";
  }
  return std::rename((file + ".part").c_str(), file.c_str());
}
