// gorilla/websocket of Debian: gorilla MODE PORT EXTENSION [CERT KEY], after
// its examples (echo; chat for the hub). bench/README.md says what the servers
// do and print.
package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/gorilla/websocket"
)

var upgrader = websocket.Upgrader{}
var deflate bool

func upgrade(w http.ResponseWriter, r *http.Request) *websocket.Conn {
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return nil
	}
	if deflate {
		ws.SetCompressionLevel(6)
	}
	return ws
}

func echo(w http.ResponseWriter, r *http.Request) {
	ws := upgrade(w, r)
	if ws == nil {
		return
	}
	defer ws.Close()
	var buffer bytes.Buffer
	for {
		kind, reader, err := ws.NextReader()
		if err != nil {
			return
		}
		buffer.Reset()
		if _, err = buffer.ReadFrom(reader); err != nil {
			return
		}
		if ws.WriteMessage(kind, buffer.Bytes()) != nil {
			return
		}
	}
}

// The hub of the chat example, with what many are sent prepared once.
type client struct {
	ws   *websocket.Conn
	send chan *websocket.PreparedMessage
}

type hub struct {
	clients              map[*client]bool
	register, unregister chan *client
	broadcast            chan *websocket.PreparedMessage
}

func (h *hub) run() {
	for {
		select {
		case c := <-h.register:
			h.clients[c] = true
		case c := <-h.unregister:
			if h.clients[c] {
				delete(h.clients, c)
				close(c.send)
			}
		case message := <-h.broadcast:
			for c := range h.clients {
				c.send <- message
			}
		}
	}
}

func (h *hub) serve(w http.ResponseWriter, r *http.Request) {
	ws := upgrade(w, r)
	if ws == nil {
		return
	}
	c := &client{ws, make(chan *websocket.PreparedMessage, 256)}
	h.register <- c
	go func() {
		for message := range c.send {
			if ws.WritePreparedMessage(message) != nil {
				ws.Close()
			}
		}
	}()
	for {
		kind, data, err := ws.ReadMessage()
		if err != nil {
			break
		}
		message, err := websocket.NewPreparedMessage(kind, data)
		if err != nil {
			log.Fatal(err)
		}
		h.broadcast <- message
	}
	h.unregister <- c
	ws.Close()
}

func main() {
	if len(os.Args) != 4 && len(os.Args) != 6 {
		log.Fatal("usage: gorilla MODE PORT EXTENSION [CERT KEY]")
	}
	deflate = os.Args[3] == "deflate"
	upgrader.EnableCompression = deflate
	handler := http.HandlerFunc(echo)
	if os.Args[1] == "fanout" {
		h := &hub{make(map[*client]bool), make(chan *client),
			make(chan *client), make(chan *websocket.PreparedMessage)}
		go h.run()
		handler = h.serve
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("ready %d\n", listener.Addr().(*net.TCPAddr).Port)
	server := http.Server{Handler: handler,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13}}
	if len(os.Args) == 6 {
		log.Fatal(server.ServeTLS(listener, os.Args[4], os.Args[5]))
	}
	log.Fatal(server.Serve(listener))
}
