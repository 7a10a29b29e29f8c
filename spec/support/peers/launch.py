#!/usr/bin/python3
"""Programs that do not say when they are ready, or where, made to do so.

  launch.py nginx DIR CERT KEY BACKEND-PORT [CLIENT-CA]
  launch.py nats DIR CERT KEY [CLIENT-CA]
  launch.py websocketd DIR CERT KEY text|binary [COMMAND ...]
  launch.py mitmproxy DIR [USER:PASSWORD]

nginx ends TLS in front of a WebSocket server on 127.0.0.1; nats-server has a
WebSocket listener of its own, with TLS; websocketd runs a command (`cat`) for
each connection, whose messages are lines unless they are binary; mitmproxy is
an HTTP proxy for CONNECT with a certificate authority of its own,
DIR/mitmproxy-ca-cert.pem, and reads what it relays. Each becomes this process
(so that its number is right) and keeps its files and its log in DIR. `ready
PORT`, for nats `ready WSS-PORT NATS-PORT`, comes once it listens. Should
another program take a port in the moment before nginx or websocketd does,
there is no such line and this process ends.
"""

import json
import os
import re
import socket
import sys
import time

PATIENCE = 30


def listening(pid):
    """The TCP ports that the process listens on."""
    inodes = set()
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            target = os.readlink("/proc/%d/fd/%s" % (pid, fd))
        except OSError:
            continue
        found = re.fullmatch(r"socket:\[(\d+)\]", target)
        if found:
            inodes.add(found[1])
    ports = []
    with open("/proc/net/tcp", encoding="ascii") as table:
        for row in table.readlines()[1:]:
            fields = row.split()
            if fields[3] == "0A" and fields[9] in inodes:
                ports.append(int(fields[1].split(":")[1], 16))
    return ports


def watch(pid, ports_of):
    """Tell the ports as soon as there are any; give up with the process."""
    for _ in range(int(PATIENCE / 0.02)):
        try:
            ports = ports_of(pid)
        except (OSError, ValueError, KeyError, IndexError):
            ports = None
        if ports:
            print("ready " + " ".join(map(str, ports)), flush=True)
            return
        try:
            os.kill(pid, 0)
        except OSError:
            return
        time.sleep(0.02)


def become(command, directory, ports_of):
    pid = os.getpid()
    first = os.fork()
    if first == 0:
        if os.fork() == 0:  # a grandchild: the program shall not inherit it
            watch(pid, ports_of)
        os._exit(0)
    os.waitpid(first, 0)
    log = os.open(os.path.join(directory, "log"),
                  os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.execvp(command[0], command)


def write(directory, name, text):
    path = os.path.join(directory, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


NGINX = """
daemon off;
master_process off;
pid %(dir)s/nginx.pid;
error_log stderr notice;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path %(dir)s/body;
  proxy_temp_path %(dir)s/proxy;
  fastcgi_temp_path %(dir)s/fastcgi;
  uwsgi_temp_path %(dir)s/uwsgi;
  scgi_temp_path %(dir)s/scgi;
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  server {
    listen 127.0.0.1:%(port)d ssl;
    ssl_certificate %(cert)s;
    ssl_certificate_key %(key)s;
    ssl_protocols TLSv1.2 TLSv1.3;
    %(verify)s
    location / {
      proxy_pass http://127.0.0.1:%(backend)s;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_buffering off;
      proxy_read_timeout 1h;
      proxy_send_timeout 1h;
    }
  }
}
"""


def nginx(directory, cert, key, backend, client_ca=None):
    port = free_port()
    verify = ""
    if client_ca:
        verify = "ssl_client_certificate %s; ssl_verify_client on;" \
            % os.path.abspath(client_ca)
    config = write(directory, "nginx.conf", NGINX % {
        "dir": directory, "port": port, "cert": os.path.abspath(cert),
        "key": os.path.abspath(key), "backend": backend, "verify": verify})
    become(["nginx", "-p", directory, "-e", "stderr", "-c", config],
           directory, lambda pid: [p for p in listening(pid) if p == port])


def nats(directory, cert, key, client_ca=None):
    verify = ""
    if client_ca:
        verify = "ca_file: %s, verify: true" \
            % json.dumps(os.path.abspath(client_ca))
    config = write(directory, "nats.conf", """
listen: "127.0.0.1:-1"
ports_file_dir: %s
websocket {
  listen: "127.0.0.1:-1"
  tls { cert_file: %s, key_file: %s, %s }
}
""" % (json.dumps(directory), json.dumps(os.path.abspath(cert)),
       json.dumps(os.path.abspath(key)), verify))

    def ports(pid):
        name = os.path.join(directory, "nats-server_%d.ports" % pid)
        with open(name, encoding="utf-8") as file:
            found = json.load(file)
        return [int(found[kind][0].rsplit(":", 1)[1])
                for kind in ("websocket", "nats")]

    become(["nats-server", "-c", config], directory, ports)


def websocketd(directory, cert, key, mode, *command):
    port = free_port()
    options = ["websocketd", "--address=127.0.0.1", "--port=%d" % port,
               "--ssl", "--sslcert=" + os.path.abspath(cert),
               "--sslkey=" + os.path.abspath(key), "--loglevel=error"]
    if mode == "binary":
        options.append("--binary")
    become(options + list(command or ["cat"]), directory,
           lambda pid: [p for p in listening(pid) if p == port])


def mitmproxy(directory, account=None):
    command = ["mitmdump", "--listen-host", "127.0.0.1", "--listen-port", "0",
               "--set", "confdir=" + directory,
               # Specs have authorities of their own, which it cannot know.
               "--ssl-insecure", "--set", "flow_detail=0"]
    if account:
        command += ["--proxyauth", account]
    become(command, directory, listening)


def main():
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    programs = {"nginx": nginx, "nats": nats, "websocketd": websocketd,
                "mitmproxy": mitmproxy}
    if len(sys.argv) < 3 or sys.argv[1] not in programs:
        sys.exit(__doc__)
    directory = os.path.abspath(sys.argv[2])
    programs[sys.argv[1]](directory, *sys.argv[3:])


if __name__ == "__main__":
    main()
