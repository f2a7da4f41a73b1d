// Copyright (c) 2026 slipway.kube authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Command cainjector writes certificates of authorities into the configurations of webhooks. Upstream's command is a module of its own,
// which is not published; this one knows the option --config only.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	apiext "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	apireg "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	_ "github.com/cert-manager/cert-manager/internal/cainjector/feature"
	"github.com/cert-manager/cert-manager/internal/cmd/util"
	"github.com/cert-manager/cert-manager/internal/kube"
	"github.com/cert-manager/cert-manager/pkg/api"
	"github.com/cert-manager/cert-manager/pkg/cainjector/configfile"
	"github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	cmutil "github.com/cert-manager/cert-manager/pkg/util"
	files "github.com/cert-manager/cert-manager/pkg/util/configfile"
	"github.com/cert-manager/cert-manager/pkg/util/feature"
)

func main() {
	path := flag.String("config", "", "file with a CAInjectorConfiguration")
	flag.Parse()
	ctx, _ := util.SetupExitHandler(context.Background(), util.GracefulShutdown)
	if err := run(ctx, *path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, path string) error {
	file := configfile.New()
	loader, err := files.NewConfigurationFSLoader(nil, path)
	if err != nil {
		return err
	}
	if err := loader.Load(file); err != nil {
		return err
	}
	conf := file.Config
	logf.InitLogs()
	if err := logf.ValidateAndApply(&conf.Logging); err != nil {
		return err
	}
	if err := feature.DefaultMutableFeatureGate.SetFromMap(conf.FeatureGates); err != nil {
		return err
	}
	ctx = logf.NewContext(ctx, logf.Log, "cainjector")
	ctrl.SetLogger(logf.FromContext(ctx))

	kinds := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, api.AddToScheme, apiext.AddToScheme, apireg.AddToScheme} {
		utilruntime.Must(add(kinds))
	}
	connection, err := kube.BuildClientConfig("", conf.KubeConfig)
	if err != nil {
		return err
	}
	election := conf.LeaderElectionConfig
	manager, err := ctrl.NewManager(cmutil.RestConfigWithUserAgent(connection, "cainjector"), ctrl.Options{
		Scheme:                        kinds,
		LeaderElection:                election.Enabled,
		LeaderElectionNamespace:       election.Namespace,
		LeaderElectionID:              "cert-manager-cainjector-leader-election",
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &election.LeaseDuration,
		RenewDeadline:                 &election.RenewDeadline,
		RetryPeriod:                   &election.RetryPeriod,
		Metrics:                       metricsserver.Options{BindAddress: conf.MetricsListenAddress},
		// Secrets are watched without their content, and read when they are needed.
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
	})
	if err != nil {
		return err
	}
	kindsToInject := conf.EnableInjectableConfig
	err = cainjector.RegisterAllInjectors(ctx, manager, cainjector.SetupOptions{
		Namespace:                    conf.Namespace,
		EnableCertificatesDataSource: conf.EnableDataSourceConfig.Certificates,
		EnabledReconcilersFor: map[string]bool{
			cainjector.MutatingWebhookConfigurationName:   kindsToInject.MutatingWebhookConfigurations,
			cainjector.ValidatingWebhookConfigurationName: kindsToInject.ValidatingWebhookConfigurations,
			cainjector.APIServiceName:                     kindsToInject.APIServices,
			cainjector.CustomResourceDefinitionName:       kindsToInject.CustomResourceDefinitions,
		},
	})
	if err != nil {
		return err
	}
	return manager.Start(ctx)
}
