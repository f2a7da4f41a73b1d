// Copyright (c) 2026 slipway.kube authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Command acmesolver answers one HTTP-01 challenge of an ACME server. Upstream's command is a module of its own, which is not published.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/cert-manager/cert-manager/pkg/issuer/acme/http/solver"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
)

func main() {
	var one solver.HTTP01Solver
	flag.IntVar(&one.ListenPort, "listen-port", 8089, "port to listen on")
	flag.StringVar(&one.Domain, "domain", "", "domain of the challenge")
	flag.StringVar(&one.Token, "token", "", "token of the challenge")
	flag.StringVar(&one.Key, "key", "", "answer to the challenge")
	flag.Parse()
	logf.InitLogs()
	if err := one.Listen(logf.Log); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
