/* GETs by net-snmp's own library; prints the CPU microseconds it took. See __main__.py. */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static double cpu_us(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return 1e6 * (r.ru_utime.tv_sec + r.ru_stime.tv_sec) + r.ru_utime.tv_usec + r.ru_stime.tv_usec;
}

/* argv: peer user auth-password priv-password gets oid... (SHA, AES-128) */
int main(int argc, char **argv)
{
    netsnmp_session wanted, *session;
    int gets = atoi(argv[5]), good = 0;

    init_snmp("bench");
    snmp_sess_init(&wanted);
    wanted.peername = argv[1];
    wanted.version = SNMP_VERSION_3;
    wanted.securityName = argv[2];
    wanted.securityNameLen = strlen(argv[2]);
    wanted.securityLevel = SNMP_SEC_LEVEL_AUTHPRIV;
    wanted.securityAuthProto = usmHMACSHA1AuthProtocol;
    wanted.securityAuthProtoLen = USM_AUTH_PROTO_SHA_LEN;
    wanted.securityAuthKeyLen = USM_AUTH_KU_LEN;
    generate_Ku(wanted.securityAuthProto, wanted.securityAuthProtoLen, (u_char *)argv[3],
                strlen(argv[3]), wanted.securityAuthKey, &wanted.securityAuthKeyLen);
    wanted.securityPrivProto = usmAESPrivProtocol;
    wanted.securityPrivProtoLen = USM_PRIV_PROTO_AES_LEN;
    wanted.securityPrivKeyLen = USM_PRIV_KU_LEN;
    generate_Ku(wanted.securityAuthProto, wanted.securityAuthProtoLen, (u_char *)argv[4],
                strlen(argv[4]), wanted.securityPrivKey, &wanted.securityPrivKeyLen);
    session = snmp_open(&wanted);
    if (!session)
        return 1;
    double before = 0;
    for (int n = -1; n < gets; n++) {
        netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GET), *response = NULL;
        for (int i = 6; i < argc; i++) {
            oid name[MAX_OID_LEN];
            size_t length = MAX_OID_LEN;
            read_objid(argv[i], name, &length);
            snmp_add_null_var(pdu, name, length);
        }
        if (snmp_synch_response(session, pdu, &response) == STAT_SUCCESS && n >= 0)
            good += response->errstat == SNMP_ERR_NOERROR;
        if (response)
            snmp_free_pdu(response);
        if (n < 0)
            before = cpu_us(); /* the first one met the device */
    }
    printf("%d %.0f\n", good, cpu_us() - before);
    snmp_close(session);
    return 0;
}
