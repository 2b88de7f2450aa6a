// Package approval is the gate: every effect of every capsule passes Interceptor.Intercept.
package approval
