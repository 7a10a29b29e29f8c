// An independent WebSocket client and server: gorilla/websocket of Debian.
//
//	gorilla serve [CERT KEY]         an echo; prints `ready PORT`
//	gorilla visit URL FILE COURSE    the words of visitor.py that it needs:
//	                                 echo KIND SIZE, and close
//
// Both compress. It offers and grants no context takeover, in both directions,
// and nothing else.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"

	"github.com/gorilla/websocket"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(files []string) {
	upgrader := websocket.Upgrader{EnableCompression: true}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		for {
			kind, data, err := ws.ReadMessage()
			if err != nil || ws.WriteMessage(kind, data) != nil {
				return
			}
		}
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	fmt.Printf("ready %d\n", listener.Addr().(*net.TCPAddr).Port)
	if len(files) == 2 {
		must(http.ServeTLS(listener, handler, files[0], files[1]))
	}
	must(http.Serve(listener, handler))
}

func payload(kind string, size int) []byte {
	data := make([]byte, size)
	for i := range data {
		at := i % 251
		if kind == "text" {
			data[i] = byte(97 + at*7%26)
		} else {
			data[i] = byte(at * 5 % 256)
		}
	}
	return data
}

type visit struct {
	Path  string
	CA    string
	Steps [][]interface{}
}

type told struct {
	Opened struct{}      `json:"opened"`
	Steps  []interface{} `json:"steps"`
	Error  string        `json:"error,omitempty"`
}

func step(ws *websocket.Conn, words []interface{}) (interface{}, error) {
	switch words[0] {
	case "echo":
		kind, opcode := words[1].(string), websocket.TextMessage
		if kind == "binary" {
			opcode = websocket.BinaryMessage
		}
		data := payload(kind, int(words[2].(float64)))
		if err := ws.WriteMessage(opcode, data); err != nil {
			return nil, err
		}
		got, answer, err := ws.ReadMessage()
		if err == nil && (got != opcode || !bytes.Equal(data, answer)) {
			err = fmt.Errorf("%d other bytes of kind %d", len(answer), got)
		}
		return true, err
	case "close":
		message := websocket.FormatCloseMessage(1000, "")
		err := ws.WriteMessage(websocket.CloseMessage, message)
		if err == nil {
			_, _, err = ws.ReadMessage()
		}
		if websocket.IsCloseError(err, 1000) {
			return map[string]int{"code": 1000}, nil
		}
		return nil, err
	}
	return nil, fmt.Errorf("no step is called %v", words[0])
}

func makeVisit(url string, v visit) (out told) {
	out.Steps = []interface{}{}
	dialer := websocket.Dialer{EnableCompression: true}
	if url[:4] == "wss:" {
		pem, err := os.ReadFile(v.CA)
		must(err)
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		dialer.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	ws, _, err := dialer.Dial(url+v.Path, nil)
	if err != nil {
		out.Error = err.Error()
		return
	}
	defer ws.Close()
	for _, words := range v.Steps {
		result, err := step(ws, words)
		if err != nil {
			out.Error = err.Error()
			return
		}
		out.Steps = append(out.Steps, result)
	}
	return
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		serve(os.Args[2:])
	}
	var course []visit
	var group sync.WaitGroup
	must(json.Unmarshal([]byte(os.Args[4]), &course))
	results := make([]told, len(course))
	for i := range course {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			results[i] = makeVisit(os.Args[2], course[i])
		}(i)
	}
	group.Wait()
	text, err := json.Marshal(results)
	must(err)
	must(os.WriteFile(os.Args[3]+".part", text, 0o600))
	must(os.Rename(os.Args[3]+".part", os.Args[3]))
}
