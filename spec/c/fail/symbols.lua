-- The calls that csrc makes, and how each may fail by its documentation. Writes
-- assembly (of x86-64): for each a function of another name that asks fail_now
-- (calls.c) whether this call is to fail, and otherwise jumps to the real one,
-- with all arguments where they are. And the list that has csrc call these.
--
--   nm -u OBJECT | lua5.4 symbols.lua ASSEMBLY REDEFINITIONS
--
-- A symbol that is not in here is an error: whoever calls something new says
-- how it fails.

-- ---- how they fail ------------------------------------------------------------

local rules = {}

-- What is returned, and what is left behind: "errno" and a number, or "ssl",
-- OpenSSL's queue with an error of a library in every other failure.
local function fails(returns, trace, names)
  for name in names:gmatch "%S+" do
    assert(not rules[name], name .. " has two rules")
    local value = math.tointeger(returns)
    rules[name] = { returns = value, trace = trace }
  end
end

-- The real one is called too: what it gives up is gone whatever it says.
local function fails_behind(returns, errno, names)
  fails(returns, { errno = errno }, names)
  for name in names:gmatch "%S+" do rules[name].behind = true end
end

local function never(names)
  for name in names:gmatch "%S+" do
    assert(not rules[name], name .. " has two rules")
    rules[name] = {}
  end
end

local E = { ENOENT = 2, EIO = 5, ENOMEM = 12, EACCES = 13, EMFILE = 24,
  ENOSPC = 28, EPIPE = 32, EADDRINUSE = 98, ENETUNREACH = 101,
  ECONNABORTED = 103, ECONNRESET = 104, ENOBUFS = 105, ENOTCONN = 107 }

-- libuv: a negative errno.
fails(-E.EMFILE, {}, "uv_loop_init uv_poll_init uv_signal_init")
fails(-E.ENOMEM, {}, "uv_getaddrinfo uv_poll_start uv_signal_start")
fails(-16, {}, "uv_cancel") -- EBUSY: too late

-- The system.
local function system(errno, names) fails(-1, { errno = errno }, names) end
system(E.EMFILE, "accept4 open socket")
system(E.EADDRINUSE, "bind listen")
system(E.ENETUNREACH, "connect")
system(E.ENOBUFS, "getsockname getsockopt send sendmsg setsockopt")
system(E.ECONNRESET, "read recv")
system(E.EPIPE, "write")

system(E.EACCES, "fchmod fcntl lstat mkdir rename stat unlink")
system(E.EIO, "fstat fsync")
fails(0, { errno = E.ENOMEM }, "fdopen")
fails(0, { errno = E.ENOENT }, "opendir realpath")
fails(0, { errno = E.EIO }, "readdir")
fails_behind(-1, E.ENOSPC, "close fclose")
fails_behind(-1, E.ENOTCONN, "shutdown") -- there is no connection any more

-- zlib: Z_MEM_ERROR, Z_STREAM_ERROR.
fails(-4, {}, "deflateInit2_ inflate inflateInit2_")
fails(-2, {}, "inflateGetDictionary inflateReset inflateSetDictionary")

-- OpenSSL: 0 or NULL, and where it says so -1.
local function openssl(names) fails(0, { ssl = true }, names) end
openssl [[
  ASN1_IA5STRING_new ASN1_OCTET_STRING_new ASN1_STRING_set ASN1_TIME_to_tm
  ASN1_item_unpack BIO_meth_new BIO_meth_set_ctrl BIO_meth_set_read
  BIO_meth_set_write BIO_new BIO_new_mem_buf BN_bin2bn BN_to_ASN1_INTEGER
  CRYPTO_memdup EVP_CipherInit_ex EVP_Digest EVP_MAC_init EVP_PKEY_Q_keygen
  EVP_PKEY_get_group_name EVP_PKEY_up_ref GENERAL_NAMES_new GENERAL_NAME_new
  OBJ_find_sigid_algs OCSP_cert_to_id OCSP_resp_get0_signer
  OCSP_response_get1_basic OPENSSL_sk_new_null OPENSSL_sk_push
  PEM_write_bio_PrivateKey PEM_write_bio_X509 RAND_bytes
  SSL_CTX_get0_certificate SSL_CTX_new SSL_CTX_set_cipher_list
  SSL_CTX_set_ciphersuites SSL_CTX_set_default_verify_paths
  SSL_CTX_set_max_early_data SSL_CTX_set_num_tickets
  SSL_CTX_set_session_id_context SSL_CTX_set_session_ticket_cb
  SSL_CTX_use_PrivateKey SSL_CTX_use_certificate SSL_SESSION_up_ref
  SSL_do_handshake SSL_get1_session SSL_new SSL_read_ex SSL_set_ex_data
  SSL_set_session SSL_set_session_id_context SSL_use_cert_and_key SSL_write_ex
  X509V3_EXT_conf_nid X509_NAME_add_entry_by_txt X509_NAME_dup
  X509_STORE_CTX_init X509_STORE_CTX_new X509_STORE_CTX_set_ex_data
  X509_STORE_add_cert X509_STORE_new X509_VERIFY_PARAM_set1_host
  X509_VERIFY_PARAM_set1_ip X509_VERIFY_PARAM_set_flags
  X509_VERIFY_PARAM_set_purpose X509_VERIFY_PARAM_set_trust
  X509_add1_ext_i2d X509_add_cert X509_add_ext X509_chain_up_ref
  X509_check_private_key X509_digest X509_get0_pubkey X509_gmtime_adj X509_new
  X509_set1_notAfter X509_set_issuer_name X509_set_pubkey X509_set_version
  X509_sign X509_time_adj_ex X509_up_ref X509_verify_cert
]]
fails(-1, { ssl = true }, [[
  ASN1_STRING_to_UTF8 SSL_shutdown X509_NAME_print_ex i2d_X509 i2d_X509_NAME
  i2d_X509_PUBKEY
]])
fails(1, { ssl = true }, "SSL_CTX_set_alpn_protos") -- 0 is its success

-- ---- what cannot, or what does not say so --------------------------------------

-- They give something up, or set a value.
never [[
  ASN1_STRING_free AUTHORITY_INFO_ACCESS_free BIO_clear_flags BIO_free
  BIO_meth_free BIO_set_data BIO_set_flags BIO_set_init BN_free CRYPTO_free
  EVP_PKEY_free GENERAL_NAMES_free GENERAL_NAME_free GENERAL_NAME_set0_value
  NAME_CONSTRAINTS_free OCSP_BASICRESP_free OCSP_CERTID_free
  OCSP_RESPONSE_free OPENSSL_cleanse OPENSSL_sk_free OPENSSL_sk_pop_free
  RSA_PSS_PARAMS_free SSL_CTX_clear_options SSL_CTX_free
  SSL_CTX_sess_set_new_cb SSL_CTX_set_alpn_select_cb
  SSL_CTX_set_cert_verify_callback SSL_CTX_set_client_CA_list
  SSL_CTX_set_client_hello_cb SSL_CTX_set_keylog_callback SSL_CTX_set_options
  SSL_CTX_set_security_level SSL_CTX_set_timeout
  SSL_CTX_set_tlsext_ticket_key_evp_cb SSL_CTX_set_verify SSL_SESSION_free
  SSL_certs_clear SSL_free SSL_set_accept_state SSL_set_bio
  SSL_set_connect_state SSL_set_msg_callback SSL_set_shutdown TLS_FEATURE_free
  X509V3_set_ctx X509_CRL_free X509_EXTENSION_free X509_NAME_free
  X509_STORE_CTX_cleanup X509_STORE_CTX_free X509_STORE_CTX_set0_crls
  X509_STORE_CTX_set_error X509_STORE_CTX_set_verify_cb X509_STORE_free
  X509_VERIFY_PARAM_set_auth_level X509_VERIFY_PARAM_set_depth
  X509_VERIFY_PARAM_set_hostflags X509_VERIFY_PARAM_set_time X509_free
  uv_close uv_freeaddrinfo uv_idle_stop uv_poll_stop uv_ref uv_timer_stop
  uv_unref uv_update_time uv_walk closedir deflateEnd inflateEnd
  X509_VERIFY_PARAM_clear_flags
]]
-- They tell what is there. That there is nothing is no failure of theirs.
never [[
  ASN1_INTEGER_cmp ASN1_INTEGER_get ASN1_STRING_get0_data ASN1_STRING_length
  ASN1_TIME_compare BIO_get_data EC_curve_nid2nist EVP_PKEY_eq
  EVP_PKEY_get0_type_name EVP_PKEY_get_base_id EVP_PKEY_get_bits EVP_PKEY_is_a
  EVP_aes_256_cbc EVP_get_digestbyname EVP_sha1 EVP_sha256
  GENERAL_NAME_get0_value OBJ_cmp OBJ_nid2ln OBJ_nid2sn OBJ_obj2nid
  OBJ_txt2nid OCSP_BASICRESP_get_ext OCSP_BASICRESP_get_ext_count
  OCSP_SINGLERESP_get0_id OCSP_SINGLERESP_get_ext
  OCSP_SINGLERESP_get_ext_count OCSP_id_cmp OCSP_id_get0_info
  OCSP_resp_count OCSP_resp_get0 OCSP_resp_get0_produced_at
  OCSP_resp_get0_tbs_sigalg OCSP_response_status OCSP_single_get0_status
  OPENSSL_sk_num OPENSSL_sk_shift OPENSSL_sk_value OpenSSL_version
  SSL_CIPHER_get_name SSL_CTX_get0_privatekey SSL_CTX_get_cert_store
  SSL_CTX_get_security_level SSL_SESSION_get0_peer SSL_SESSION_is_resumable
  SSL_client_hello_get0_ext SSL_get0_alpn_selected SSL_get0_peer_certificate
  SSL_get_current_cipher SSL_get_error SSL_get_ex_data
  SSL_get_key_update_type
  SSL_get_ex_data_X509_STORE_CTX_idx SSL_get_pending_cipher SSL_get_version
  SSL_group_to_name SSL_in_init SSL_session_reused SSL_version TLS_client_method
  TLS_server_method X509_ALGOR_get0 X509_CRL_get0_nextUpdate X509_CRL_get_ext
  X509_CRL_get_ext_by_NID X509_CRL_get_version X509_EXTENSION_get_critical
  X509_EXTENSION_get_object X509_NAME_ENTRY_get_data X509_NAME_cmp
  X509_NAME_get_entry X509_NAME_get_index_by_NID X509_OBJECT_get0_X509
  X509_OBJECT_get_type X509_STORE_CTX_get0_cert X509_STORE_CTX_get0_chain
  X509_STORE_CTX_get0_param X509_STORE_CTX_get0_parent_ctx
  X509_STORE_CTX_get0_untrusted X509_STORE_CTX_get_current_cert
  X509_STORE_CTX_get_error X509_STORE_CTX_get_error_depth
  X509_STORE_CTX_get_ex_data X509_STORE_CTX_get_num_untrusted
  X509_STORE_get0_objects X509_VERIFY_PARAM_get_time X509_cmp X509_cmp_time
  X509_get0_notAfter X509_get0_notBefore X509_get0_serialNumber
  X509_get_X509_PUBKEY X509_get_default_cert_dir
  X509_get_default_cert_dir_env X509_get_ext X509_get_ext_by_NID
  X509_get_ext_count X509_get_issuer_name X509_get_serialNumber
  X509_get_signature_nid X509_get_subject_name X509_get_version
  X509_getm_notAfter X509_getm_notBefore BIO_s_mem
  uv_backend_fd uv_backend_timeout uv_hrtime uv_is_active uv_is_closing
  uv_loop_alive uv_now uv_version_string zlibVersion isatty fileno
  getegid geteuid getgid getuid getenv
]]
-- A negative or empty answer of these means "no", or "not of this form", and
-- a good certificate or text would be taken for a bad one: that is for the
-- scenarios that have bad ones.
never [[
  EVP_DecodeBlock EVP_EncodeBlock OCSP_basic_verify
  PEM_read_bio PEM_read_bio_PrivateKey PEM_read_bio_X509_AUX
  PEM_read_bio_X509_CRL X509_check_ca X509_check_host X509_check_ip
  X509_get_ext_d2i X509_get_extended_key_usage X509_get_extension_flags
  X509_get_key_usage d2i_OCSP_RESPONSE d2i_X509_CRL_bio inet_pton uv_ip4_addr
  uv_ip6_addr
]]
-- One function for many questions: what each answers depends on it.
never "BIO_ctrl SSL_CTX_callback_ctrl SSL_CTX_ctrl SSL_ctrl"
-- The queue of errors itself, and parameters built in place.
never [[
  ERR_clear_error ERR_get_error ERR_new ERR_peek_error ERR_peek_last_error
  ERR_reason_error_string ERR_set_debug ERR_set_error OSSL_PARAM_construct_end
  OSSL_PARAM_construct_utf8_string RSA_PSS_PARAMS_it
]]
-- They fail only where they are called wrongly.
never [[
  clock_gettime deflate deflateReset time uv_idle_init uv_idle_start
  uv_ip4_name uv_ip6_name uv_loop_close uv_prepare_init uv_prepare_start uv_run
  uv_timer_init uv_timer_start
]]
-- Memory is what spec/c/oom is about, and strings are strings.
never [[
  _GLOBAL_OFFSET_TABLE_ __assert_fail __errno_location free link memchr memcmp
  memcpy memmove memset realloc snprintf strchr strcmp strcspn strftime strlen
  strncasecmp strncmp strpbrk strrchr strspn strstr vsnprintf __stack_chk_fail
  bcmp ceil floor htonl htons ntohs strnlen __cpu_model
]]
local ignored = { "^lua", "^__asan_", "^__ubsan_", "^__sanitizer_", "^__gcov_",
  "^__tsan_", "^__lsan_", "^__ubsan" }

-- ---- what is written -----------------------------------------------------------

local entry = [[
fail_%s:
  push %%rdi
  push %%rsi
  push %%rdx
  push %%rcx
  push %%r8
  push %%r9
  push %%rax
  mov $%d, %%edi
  call fail_now@PLT
  test %%eax, %%eax
  pop %%rax
  pop %%r9
  pop %%r8
  pop %%rcx
  pop %%rdx
  pop %%rsi
  pop %%rdi
  jnz 1f
  jmp %s@PLT
1:
]]
local plain = [[
  mov $%d, %%rax
  ret
]]
local behind = [[
  sub $8, %%rsp
  call %s@PLT
  mov $%d, %%edi
  call fail_trace@PLT
  add $8, %%rsp
  mov $%d, %%rax
  ret
]]

local function is_ignored(name)
  for _, pattern in ipairs(ignored) do
    if name:find(pattern) then return true end
  end
end

local names, unknown = {}, {}
for line in io.lines() do
  local name = line:match "^%s+U ([%w_]+)$"
  if name and not is_ignored(name) then
    local rule = rules[name]
    if not rule then
      unknown[#unknown + 1] = name
    elseif rule.returns then
      names[#names + 1] = name
    end
  end
end
if #unknown > 0 then
  io.stderr:write("spec/c/fail/symbols.lua does not say how these fail: ",
    table.concat(unknown, " "), "\n")
  os.exit(1)
end

local code <close> = assert(io.open(arg[1], "w"))
local map <close> = assert(io.open(arg[2], "w"))
code:write "  .text\n"
for i, name in ipairs(names) do
  local rule = rules[name]
  code:write(("  .globl fail_%s\n  .type fail_%s, @function\n"):format(name,
    name), entry:format(name, i - 1, name))
  if rule.behind then
    code:write(behind:format(name, i - 1, rule.returns))
  else
    code:write(plain:format(rule.returns))
  end
  map:write(name, " fail_", name, "\n")
end
-- struct fail_call, in calls.h.
code:write "  .section .data.rel.ro,\"aw\"\n  .balign 8\n"
code:write "  .globl fail_calls\nfail_calls:\n"
for i, name in ipairs(names) do
  local trace = rules[name].trace
  code:write(("  .quad 9%df\n  .long %d, %d\n"):format(i, trace.errno or 0,
    trace.ssl and 1 or 0))
end
code:write("  .globl fail_calls_count\n  .balign 8\nfail_calls_count:\n",
  ("  .quad %d\n"):format(#names))
code:write "  .section .rodata\n"
for i, name in ipairs(names) do
  code:write(("9%d:\n  .string \"%s\"\n"):format(i, name))
end
code:write "  .section .note.GNU-stack,\"\",@progbits\n"
