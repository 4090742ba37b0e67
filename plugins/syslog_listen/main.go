// Command syslog_listen is the source syslog-listen/listen: syslog messages over UDP and TCP.
package main

import "busbar"

func init() {
	busbar.Export(busbar.NewSource("listen", newListener))
}

func main() {}
