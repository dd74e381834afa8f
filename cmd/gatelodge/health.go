package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatelodge/internal/config"
)

// healthPatience is how long a server may take to say how it is.
const healthPatience = 4 * time.Second

func newHealth() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask the running server whether it is ready, by its --metrics listener",
		Long: `Ask the running server whether it is ready, by its --metrics listener. This is for
containers, which have no other program to ask with. The exit code is 1 when it is not.`,
		Args: noArgs,
	}
	config.Flags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := config.Load(cmd.Flags(), os.Environ())
		if err != nil {
			return err
		}
		if cfg.Metrics == "" {
			return usageError{fmt.Errorf("--metrics is missing: the address of the server's second listener")}
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), healthPatience)
		defer cancel()
		status, body, _, err := get(ctx, "http://"+cfg.Metrics+"/readyz")
		if err != nil {
			return err
		}
		words := strings.TrimSpace(string(body))
		if status != http.StatusOK {
			return fmt.Errorf("the server is not ready: %s", words)
		}
		fmt.Fprintln(cmd.OutOrStdout(), words)
		return nil
	}
	return cmd
}
