// Copyright (c) 2026 slipway.kube authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Command controller runs the controllers of cert-manager. Upstream's command is a module of its own, which is not published; this one
// knows the option --config only.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	config "github.com/cert-manager/cert-manager/internal/apis/config/controller"
	defaults "github.com/cert-manager/cert-manager/internal/apis/config/controller/v1alpha1"
	"github.com/cert-manager/cert-manager/internal/cmd/util"
	"github.com/cert-manager/cert-manager/internal/pem"
	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/controller/configfile"
	"github.com/cert-manager/cert-manager/pkg/healthz"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/acme"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/vault"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/venafi"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	files "github.com/cert-manager/cert-manager/pkg/util/configfile"
	"github.com/cert-manager/cert-manager/pkg/util/feature"
)

func main() {
	path := flag.String("config", "", "file with a ControllerConfiguration")
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
	limits := conf.PEMSizeLimitsConfig
	pem.SetGlobalSizeLimits(pem.NewSizeLimitsFromConfig(limits.MaxCertificateSize, limits.MaxPrivateKeySize, limits.MaxChainLength, limits.MaxBundleSize))

	ctx = logf.NewContext(ctx, logf.Log, "controller")
	options, err := optionsOf(conf)
	if err != nil {
		return err
	}
	factory, err := controller.NewContextFactory(ctx, options)
	if err != nil {
		return err
	}
	base, err := factory.Build()
	if err != nil {
		return err
	}

	group, ctx := errgroup.WithContext(ctx)
	listen := net.ListenConfig{}
	health := healthz.NewServer(conf.LeaderElectionConfig.HealthzTimeout)
	healthListener, err := listen.Listen(ctx, "tcp", conf.HealthzListenAddress)
	if err != nil {
		return err
	}
	group.Go(func() error { return health.Start(ctx, healthListener) })
	metricsListener, err := listen.Listen(ctx, "tcp", conf.MetricsListenAddress)
	if err != nil {
		return err
	}
	acme, issuing := base.SharedInformerFactory.Acme().V1(), base.SharedInformerFactory.Certmanager().V1()
	base.Metrics.SetupACMECollector(acme.Challenges().Lister())
	base.Metrics.SetupCertificateCollector(issuing.Certificates().Lister())
	base.Metrics.SetupIssuerCollector(issuing.Issuers().Lister())
	base.Metrics.SetupClusterIssuerCollector(issuing.ClusterIssuers().Lister())
	metrics := base.Metrics.NewServer(metricsListener)
	group.Go(func() error {
		<-ctx.Done()
		return metrics.Close()
	})
	go func() { _ = metrics.Serve(metricsListener) }()

	group.Go(func() error {
		if !conf.LeaderElectionConfig.Enabled {
			return start(ctx, factory, base, conf)
		}
		return lead(ctx, base, conf, health, func(ctx context.Context) error { return start(ctx, factory, base, conf) })
	})
	return group.Wait()
}

// start runs the controllers until the context ends.
func start(ctx context.Context, factory *controller.ContextFactory, base *controller.Context, conf *config.ControllerConfiguration) error {
	group, ctx := errgroup.WithContext(ctx)
	names := enabled(conf)
	for name, construct := range controller.Known() {
		if !slices.Contains(names, name) {
			continue
		}
		one, err := construct(factory)
		if err != nil {
			return fmt.Errorf("controller %s: %w", name, err)
		}
		group.Go(func() error { return one.Run(conf.NumberOfConcurrentWorkers, ctx) })
	}
	base.SharedInformerFactory.Start(ctx.Done())
	base.KubeSharedInformerFactory.Start(ctx.Done())
	base.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	if conf.EnableGatewayAPI {
		base.GWShared.Start(ctx.Done())
	}
	return group.Wait()
}

// lead runs a function while this process is the leader; a lost lead is an error.
func lead(ctx context.Context, base *controller.Context, conf *config.ControllerConfiguration, health *healthz.Server, work func(context.Context) error) error {
	identity, err := os.Hostname()
	if err != nil {
		return err
	}
	election := conf.LeaderElectionConfig
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, election.Namespace, "cert-manager-controller", base.Client.CoreV1(),
		base.Client.CoordinationV1(), resourcelock.ResourceLockConfig{Identity: identity, EventRecorder: base.Recorder})
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:            lock,
		LeaseDuration:   election.LeaseDuration,
		RenewDeadline:   election.RenewDeadline,
		RetryPeriod:     election.RetryPeriod,
		ReleaseOnCancel: true,
		WatchDog:        health.LeaderHealthzAdaptor,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) { failed <- work(ctx) },
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return err
	}
	leading, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan struct{})
	go func() {
		elector.Run(leading)
		close(ended)
	}()
	select {
	case err = <-failed:
	case <-ended:
		err = fmt.Errorf("the lease %s/cert-manager-controller was lost", election.Namespace)
	}
	stop()
	<-ended
	if ctx.Err() != nil {
		return nil // ended on request
	}
	return err
}

// enabled returns the names of the controllers to run.
func enabled(conf *config.ControllerConfiguration) []string {
	var names []string
	for _, name := range conf.Controllers {
		if name == "*" {
			names = append(names, defaults.DefaultEnabledControllers...)
		} else {
			names = append(names, name)
		}
	}
	if conf.EnableGatewayAPI {
		names = append(names, "gateway-shim")
	}
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(conf.Controllers, "-"+name) })
}

func optionsOf(conf *config.ControllerConfiguration) (controller.ContextOptions, error) {
	http01, dns01, shim := conf.ACMEHTTP01Config, conf.ACMEDNS01Config, conf.IngressShimConfig
	var sizes [4]resource.Quantity
	for place, text := range []string{http01.SolverResourceRequestCPU, http01.SolverResourceRequestMemory, http01.SolverResourceLimitsCPU, http01.SolverResourceLimitsMemory} {
		size, err := resource.ParseQuantity(text)
		if err != nil {
			return controller.ContextOptions{}, fmt.Errorf("resources of the ACME solver: %w", err)
		}
		sizes[place] = size
	}
	period := dns01.CheckRetryPeriod
	if period == 0 {
		period = 10 * time.Second
	}
	return controller.ContextOptions{
		Kubeconfig:         conf.KubeConfig,
		KubernetesAPIQPS:   conf.KubernetesAPIQPS,
		KubernetesAPIBurst: conf.KubernetesAPIBurst,
		APIServerHost:      conf.APIServerHost,
		Namespace:          conf.Namespace,
		ACMEOptions: controller.ACMEOptions{
			HTTP01SolverImage:                 http01.SolverImage,
			HTTP01SolverResourceRequestCPU:    sizes[0],
			HTTP01SolverResourceRequestMemory: sizes[1],
			HTTP01SolverResourceLimitsCPU:     sizes[2],
			HTTP01SolverResourceLimitsMemory:  sizes[3],
			ACMEHTTP01SolverRunAsNonRoot:      http01.SolverRunAsNonRoot,
			HTTP01SolverNameservers:           http01.SolverNameservers,
			DNS01Nameservers:                  dns01.RecursiveNameservers,
			DNS01CheckRetryPeriod:             period,
			DNS01CheckAuthoritative:           !dns01.RecursiveNameserversOnly,
		},
		SchedulerOptions: controller.SchedulerOptions{MaxConcurrentChallenges: conf.MaxConcurrentChallenges},
		IssuerOptions: controller.IssuerOptions{
			ClusterIssuerAmbientCredentials: conf.ClusterIssuerAmbientCredentials,
			IssuerAmbientCredentials:        conf.IssuerAmbientCredentials,
			ClusterResourceNamespace:        conf.ClusterResourceNamespace,
		},
		IngressShimOptions: controller.IngressShimOptions{
			DefaultIssuerName:                 shim.DefaultIssuerName,
			DefaultIssuerKind:                 shim.DefaultIssuerKind,
			DefaultIssuerGroup:                shim.DefaultIssuerGroup,
			DefaultAutoCertificateAnnotations: shim.DefaultAutoCertificateAnnotations,
			ExtraCertificateAnnotations:       shim.ExtraCertificateAnnotations,
		},
		CertificateOptions: controller.CertificateOptions{
			EnableOwnerRef:                           conf.EnableCertificateOwnerRef,
			CopiedAnnotationPrefixes:                 conf.CopiedAnnotationPrefixes,
			CertificateRequestMinimumBackoffDuration: conf.CertificateRequestMinimumBackoffDuration,
		},
		ConfigOptions: controller.ConfigOptions{
			EnableGatewayAPI:            conf.EnableGatewayAPI,
			EnableGatewayAPIListenerSet: conf.EnableGatewayAPIListenerSet,
		},
	}, nil
}
