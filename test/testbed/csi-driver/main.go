// A CSI driver for the test bed: volumes, raw block devices, snapshots and
// clones as btrfs subvolumes of one folder, so that a copy takes no time and is
// crash-consistent. A volume lives on the node that made it.
//
// It runs in two ways:
//
//	csi-driver node:       identity, controller and node service of one node; registers itself with the kubelet
//	csi-driver controller: one controller for the cluster, which passes each call on to the node that it is for
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"strings"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
)

const (
	driverVersion = "1.0.0"
	nodeTopology  = "topology.csi.testbed.stork/node"
)

func main() {
	if len(os.Args) < 2 {
		log.Fatal("call me as: csi-driver node|controller FLAGS")
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		log.Fatal(err)
	}
}

func run(mode string, args []string) error {
	flags := flag.NewFlagSet(mode, flag.ExitOnError)
	name := flags.String("name", "csi.testbed.stork", "the driver's name")
	socket := flags.String("socket", "", "path of the unix socket to serve on")
	node := flags.String("node", "", "node: this node's name")
	folder := flags.String("folder", "", "node: a folder on btrfs for the volumes")
	registration := flags.String("registration", "", "node: socket to make in the kubelet's plugins_registry; empty: none")
	nodes := flags.String("nodes", "", "controller: NAME=SOCKET,… of the nodes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(logFailures))
	csi.RegisterIdentityServer(server, &identity{name: *name})
	switch mode {
	case "node":
		store, err := openStore(*folder, *node)
		if err != nil {
			return err
		}
		csi.RegisterControllerServer(server, &controller{store: store})
		csi.RegisterNodeServer(server, &nodeService{store: store})
		if *registration != "" {
			go serveRegistration(*registration, *name, *socket)
		}
	case "controller":
		router, err := dialNodes(strings.Split(*nodes, ","))
		if err != nil {
			return err
		}
		csi.RegisterControllerServer(server, router)
	default:
		return fmt.Errorf("unknown mode %q", mode)
	}
	return serve(server, *socket)
}

func serve(server *grpc.Server, socket string) error {
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	return server.Serve(listener)
}
