#define main gp_main
#include "/tmp/eyes-rev2/grpcprof.c"
#undef main
int main(int c,char**v){ struct re r; struct gp_why w={{0}};
 if(!strcmp(v[1],"t")){ struct re_in in={0}; int e=re_translate(&in,v[2],&w); mem_put_byte(&in.out,0); printf("%d %s | %s\n",e,(char*)in.out.data,w.text); return 0;}
 int e=re_init(&r,"x",v[1],&w); if(e){printf("ERR %s\n",w.text);return 1;}
 for(int i=2;i<c;i++) printf("%s:%d ",v[i],re_matches(&r,txt_slice(v[i]))); puts(""); }
