//! Not hooked: Sun's remote procedure calls.

use crate::table::Unhooked;

pub(super) const RPC: &[Unhooked] = &[Unhooked {
    what: "Sun RPC",
    symbols: "__rpc_thread_createerr __rpc_thread_svc_fdset __rpc_thread_svc_max_pollfd \
                  __rpc_thread_svc_pollfd _authenticate _rpc_dtablesize _seterr_reply \
                  authdes_create authdes_getucred authdes_pk_create authnone_create \
                  authunix_create authunix_create_default callrpc clnt_broadcast clnt_create \
                  clnt_spcreateerror clnt_sperrno clnt_sperror clntraw_create clnttcp_create \
                  clntudp_bufcreate clntudp_create clntunix_create get_myaddress getnetname \
                  getpublickey getrpcport getsecretkey host2netname key_decryptsession \
                  key_decryptsession_pk key_encryptsession key_encryptsession_pk key_gendes \
                  key_get_conv key_secretkey_is_set key_setnet key_setsecret netname2host \
                  netname2user passwd2des pmap_getmaps pmap_getport pmap_rmtcall pmap_set \
                  pmap_unset registerrpc rtime svc_exit svc_getreq svc_getreq_common \
                  svc_getreq_poll svc_getreqset svc_register svc_run svc_sendreply svc_unregister \
                  svcerr_auth svcerr_decode svcerr_noproc svcerr_noprog svcerr_progvers \
                  svcerr_systemerr svcerr_weakauth svcfd_create svcraw_create svctcp_create \
                  svcudp_bufcreate svcudp_create svcudp_enablecache svcunix_create \
                  svcunixfd_create user2netname xdecrypt xdr_accepted_reply xdr_array \
                  xdr_authdes_cred xdr_authdes_verf xdr_authunix_parms xdr_bool xdr_bytes \
                  xdr_callhdr xdr_callmsg xdr_char xdr_cryptkeyarg xdr_cryptkeyarg2 \
                  xdr_cryptkeyres xdr_des_block xdr_double xdr_enum xdr_float xdr_free \
                  xdr_getcredres xdr_hyper xdr_int xdr_int16_t xdr_int32_t xdr_int64_t xdr_int8_t \
                  xdr_key_netstarg xdr_key_netstres xdr_keybuf xdr_keystatus xdr_long \
                  xdr_longlong_t xdr_netnamestr xdr_netobj xdr_opaque xdr_opaque_auth xdr_pmap \
                  xdr_pmaplist xdr_pointer xdr_quad_t xdr_reference xdr_rejected_reply \
                  xdr_replymsg xdr_rmtcall_args xdr_rmtcallres xdr_short xdr_sizeof xdr_string \
                  xdr_u_char xdr_u_hyper xdr_u_int xdr_u_long xdr_u_longlong_t xdr_u_quad_t \
                  xdr_u_short xdr_uint16_t xdr_uint32_t xdr_uint64_t xdr_uint8_t xdr_union \
                  xdr_unixcred xdr_vector xdr_void xdr_wrapstring xdrmem_create xdrrec_create \
                  xdrrec_endofrecord xdrrec_eof xdrrec_skiprecord xdrstdio_create xencrypt \
                  xprt_register xprt_unregister",
    why: "connects, reads and writes inside of the C library. Nothing can be linked against \
              these any more; only old libraries call them",
    remedy: "`lisle::blocking`",
}];
