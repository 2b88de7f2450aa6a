;; A guest without a toolchain: it makes the host call that its input describes. It shows all that a guest of the native
;; convention has to do, and plays the transcripts of abi/host/testdata/conformance.
;;
;; Rebuild calls.wasm with `make guests`, which needs wat2wasm of the WebAssembly Binary Toolkit.
;;
;; The payload of the action is
;;
;;   u8   number of the host function, as in package abi
;;   u8   how many parameters follow, at most 3
;;   for each parameter: u32 length, its bytes
;;
;; and the answer the verdict byte 0 (continue), the result word of the host function (u64, its code in the upper half), and
;; the result or the error message. Numbers are little endian.
(module
  ;; Each logical parameter is a pointer and a length; the result is the code and the length of what the host has parked.
  (type $p0 (func (result i64)))
  (type $p1 (func (param i32 i32) (result i64)))
  (type $p2 (func (param i32 i32 i32 i32) (result i64)))
  (type $p3 (func (param i32 i32 i32 i32 i32 i32) (result i64)))

  (import "astrid" "astrid_fs_exists" (func $fs_exists (type $p1))) ;; path
  (import "astrid" "astrid_fs_mkdir" (func $fs_mkdir (type $p1))) ;; path
  (import "astrid" "astrid_fs_readdir" (func $fs_readdir (type $p1))) ;; path
  (import "astrid" "astrid_fs_stat" (func $fs_stat (type $p1))) ;; path
  (import "astrid" "astrid_fs_unlink" (func $fs_unlink (type $p1))) ;; path
  (import "astrid" "astrid_read_file" (func $read_file (type $p1))) ;; path
  (import "astrid" "astrid_write_file" (func $write_file (type $p2))) ;; path, content
  (import "astrid" "astrid_ipc_publish" (func $ipc_publish (type $p2))) ;; topic, payload
  (import "astrid" "astrid_ipc_subscribe" (func $ipc_subscribe (type $p1))) ;; pattern
  (import "astrid" "astrid_ipc_unsubscribe" (func $ipc_unsubscribe (type $p1))) ;; handle
  (import "astrid" "astrid_ipc_poll" (func $ipc_poll (type $p1))) ;; handle
  (import "astrid" "astrid_ipc_recv" (func $ipc_recv (type $p2))) ;; handle, timeout_ms
  (import "astrid" "astrid_uplink_register" (func $uplink_register (type $p3))) ;; name, platform, profile
  (import "astrid" "astrid_uplink_send" (func $uplink_send (type $p3))) ;; uplink_id, platform_user_id, content
  (import "astrid" "astrid_kv_get" (func $kv_get (type $p1))) ;; key
  (import "astrid" "astrid_kv_set" (func $kv_set (type $p2))) ;; key, value
  (import "astrid" "astrid_kv_delete" (func $kv_delete (type $p1))) ;; key
  (import "astrid" "astrid_kv_list_keys" (func $kv_list_keys (type $p1))) ;; prefix
  (import "astrid" "astrid_kv_clear_prefix" (func $kv_clear_prefix (type $p1))) ;; prefix
  (import "astrid" "astrid_get_config" (func $get_config (type $p1))) ;; key
  (import "astrid" "astrid_get_caller" (func $get_caller (type $p0)))
  (import "astrid" "astrid_http_request" (func $http_request (type $p1))) ;; request
  (import "astrid" "astrid_trigger_hook" (func $trigger_hook (type $p1))) ;; request
  (import "astrid" "astrid_log" (func $log (type $p2))) ;; level, message
  (import "astrid" "astrid_spawn_host" (func $spawn_host (type $p1))) ;; request
  (import "astrid" "astrid_net_bind_unix" (func $net_bind_unix (type $p1))) ;; path
  (import "astrid" "astrid_net_accept" (func $net_accept (type $p1))) ;; stream
  (import "astrid" "astrid_net_read" (func $net_read (type $p1))) ;; stream
  (import "astrid" "astrid_net_write" (func $net_write (type $p2))) ;; stream, data
  (import "astrid" "astrid_elicit" (func $elicit (type $p1))) ;; request
  (import "astrid" "astrid_has_secret" (func $has_secret (type $p1))) ;; request
  (import "astrid" "astrid_signal_ready" (func $signal_ready (type $p0)))
  (import "astrid" "astrid_clock_ms" (func $clock_ms (type $p0)))
  (import "astrid" "astrid_get_interceptor_handles" (func $get_interceptor_handles (type $p0)))
  (import "astrid" "astrid_request_approval" (func $request_approval (type $p1))) ;; request
  (import "astrid" "astrid_identity_resolve" (func $identity_resolve (type $p1))) ;; request
  (import "astrid" "astrid_identity_link" (func $identity_link (type $p1))) ;; request
  (import "astrid" "astrid_identity_unlink" (func $identity_unlink (type $p1))) ;; request
  (import "astrid" "astrid_identity_create_user" (func $identity_create_user (type $p1))) ;; request
  (import "astrid" "astrid_identity_list_links" (func $identity_list_links (type $p1))) ;; request
  (import "astrid" "astrid_check_capsule_capability" (func $check_capsule_capability (type $p1))) ;; request
  (import "astrid" "astrid_spawn_background_host" (func $spawn_background_host (type $p1))) ;; request
  (import "astrid" "astrid_read_process_logs_host" (func $read_process_logs_host (type $p1))) ;; request
  (import "astrid" "astrid_kill_process_host" (func $kill_process_host (type $p1))) ;; request
  (import "astrid" "astrid_net_close_stream" (func $net_close_stream (type $p1))) ;; stream
  (import "astrid" "astrid_net_poll_accept" (func $net_poll_accept (type $p1))) ;; stream
  (import "astrid" "astrid_http_stream_start" (func $http_stream_start (type $p1))) ;; request
  (import "astrid" "astrid_http_stream_read" (func $http_stream_read (type $p1))) ;; stream
  (import "astrid" "astrid_http_stream_close" (func $http_stream_close (type $p1))) ;; stream

  ;; take copies what is parked to (ptr, capacity) and returns how many bytes that were.
  (import "astrid_link" "take" (func $take (param i32 i32) (result i32)))

  (memory (export "memory") 800) ;; 50 MiB: three parameters and a result of 10 MiB fit
  (global $input i32 (i32.const 0x10000))
  (global $output i32 (i32.const 0x2000000))
  (global $room i32 (i32.const 0x1000000)) ;; 16 MiB for a result

  (table funcref (elem
    $fs_exists $fs_mkdir $fs_readdir $fs_stat
    $fs_unlink $read_file $write_file $ipc_publish
    $ipc_subscribe $ipc_unsubscribe $ipc_poll $ipc_recv
    $uplink_register $uplink_send $kv_get $kv_set
    $kv_delete $kv_list_keys $kv_clear_prefix $get_config
    $get_caller $http_request $trigger_hook $log
    $spawn_host $net_bind_unix $net_accept $net_read
    $net_write $elicit $has_secret $signal_ready
    $clock_ms $get_interceptor_handles $request_approval $identity_resolve
    $identity_link $identity_unlink $identity_create_user $identity_list_links
    $check_capsule_capability $spawn_background_host $read_process_logs_host $kill_process_host
    $net_close_stream $net_poll_accept $http_stream_start $http_stream_read
    $http_stream_close))

  ;; behind is the address behind the parameter whose length is at $at.
  (func $behind (param $at i32) (result i32)
    (i32.add (i32.add (local.get $at) (i32.const 4)) (i32.load (local.get $at))))

  (func (export "astrid_hook_trigger") (param $length i32) (result i64)
    (local $at i32) (local $fn i32) (local $count i32)
    (local $a i32) (local $b i32) (local $c i32)
    (local $word i64)

    ;; The input waits with the host. It is the length of the action's name, the name, the payload.
    (drop (call $take (global.get $input) (local.get $length)))
    (local.set $at (call $behind (global.get $input)))
    (local.set $fn (i32.load8_u (local.get $at)))
    (local.set $count (i32.load8_u offset=1 (local.get $at)))
    (local.set $a (i32.add (local.get $at) (i32.const 2)))

    (local.set $word
      (if (result i64) (i32.eqz (local.get $count))
        (then (call_indirect (type $p0) (local.get $fn)))
        (else
          (local.set $b (call $behind (local.get $a)))
          (if (result i64) (i32.eq (local.get $count) (i32.const 1))
            (then
              (call_indirect (type $p1)
                (i32.add (local.get $a) (i32.const 4)) (i32.load (local.get $a))
                (local.get $fn)))
            (else
              (local.set $c (call $behind (local.get $b)))
              (if (result i64) (i32.eq (local.get $count) (i32.const 2))
                (then
                  (call_indirect (type $p2)
                    (i32.add (local.get $a) (i32.const 4)) (i32.load (local.get $a))
                    (i32.add (local.get $b) (i32.const 4)) (i32.load (local.get $b))
                    (local.get $fn)))
                (else
                  (call_indirect (type $p3)
                    (i32.add (local.get $a) (i32.const 4)) (i32.load (local.get $a))
                    (i32.add (local.get $b) (i32.const 4)) (i32.load (local.get $b))
                    (i32.add (local.get $c) (i32.const 4)) (i32.load (local.get $c))
                    (local.get $fn)))))))))

    ;; Verdict, word, what is parked. The host reads the output before it runs anything else here.
    (i32.store8 (global.get $output) (i32.const 0))
    (i64.store offset=1 align=1 (global.get $output) (local.get $word))
    (i64.or
      (i64.shl (i64.extend_i32_u (global.get $output)) (i64.const 32))
      (i64.extend_i32_u
        (i32.add (i32.const 9)
          (call $take (i32.add (global.get $output) (i32.const 9)) (global.get $room)))))))
